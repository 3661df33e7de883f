"""What a plan is made of: one class a thing to do, with its reason. What a step makes, a later one finds by kind."""

from dataclasses import dataclass

from web_tier.nova.resources import Ingress, Kind
from web_tier.nova.wanted import ImageFile


@dataclass(frozen=True)
class Create:
    """Make a resource of this kind; its values are what is wanted, and what the steps before have made."""

    kind: Kind
    why: str

    def __str__(self) -> str:
        return f"create {self.kind}"


@dataclass(frozen=True)
class CreateRouter:
    """Make the router, with its gateway in the external network of this id and name."""

    external: str
    external_name: str
    why: str

    def __str__(self) -> str:
        return f"create {Kind.ROUTER} with its gateway in {self.external_name}"


@dataclass(frozen=True)
class SetGateway:
    """Give the router its gateway."""

    external: str
    external_name: str
    why: str

    def __str__(self) -> str:
        return f"set the gateway of the {Kind.ROUTER} to {self.external_name}"


@dataclass(frozen=True)
class AddInterface:
    """Put the router into the subnet."""

    why: str

    def __str__(self) -> str:
        return f"add {Kind.ROUTER} interface in the {Kind.SUBNET}"


@dataclass(frozen=True)
class Allow:
    """Let something in."""

    ingress: Ingress
    why: str

    def __str__(self) -> str:
        return f"allow {self.ingress}"


@dataclass(frozen=True)
class Revoke:
    """Delete a rule for what comes in."""

    rule_id: str
    text: str
    why: str

    def __str__(self) -> str:
        return f"revoke {self.text}"


@dataclass(frozen=True)
class SetPortGroup:
    """Put the port into the security group, and into no other."""

    why: str

    def __str__(self) -> str:
        return f"set the {Kind.SECURITY_GROUP} of the {Kind.PORT}"


@dataclass(frozen=True)
class Upload:
    """Upload the image. What a broken upload has left is no place for another one: Glance may hold a part of it."""

    file: ImageFile
    why: str

    def __str__(self) -> str:
        return f"upload {Kind.IMAGE} {self.file.path.name} ({self.file.disk_format})"


@dataclass(frozen=True)
class CreateServer:
    """Launch the server. What is None is made, or found, by the steps before."""

    flavor: str | None
    image: str | None
    key_name: str | None
    why: str

    def __str__(self) -> str:
        return f"create {Kind.SERVER}"


@dataclass(frozen=True)
class StartServer:
    """Start a server that is shut off."""

    why: str

    def __str__(self) -> str:
        return f"start {Kind.SERVER}"


@dataclass(frozen=True)
class AwaitServer:
    """Wait until the server is ACTIVE."""

    why: str

    def __str__(self) -> str:
        return f"wait for the {Kind.SERVER} to run"


@dataclass(frozen=True)
class CreateFloatingIp:
    """Take an address of the external network for the port."""

    external: str
    external_name: str
    why: str

    def __str__(self) -> str:
        return f"create {Kind.FLOATING_IP} in {self.external_name}"


@dataclass(frozen=True)
class AttachFloatingIp:
    """Lead the address to the port."""

    why: str

    def __str__(self) -> str:
        return f"attach {Kind.FLOATING_IP}"


@dataclass(frozen=True)
class SetTag:
    """Tag a resource that says in its description that it is ours, having lost its maker before the tag was set."""

    kind: Kind
    why: str

    def __str__(self) -> str:
        return f"tag {self.kind}"


@dataclass(frozen=True)
class RemoveInterface:
    """Take a router out of a subnet."""

    router_id: str
    subnet_id: str
    why: str

    def __str__(self) -> str:
        return f"remove {Kind.ROUTER} interface in {Kind.SUBNET} {self.subnet_id}"


@dataclass(frozen=True)
class Delete:
    """Delete one resource, by its id; a key pair by its name."""

    kind: Kind
    id: str
    why: str

    def __str__(self) -> str:
        return f"delete {self.kind} {self.id}"


Step = (
    Create
    | CreateRouter
    | SetGateway
    | AddInterface
    | Allow
    | Revoke
    | SetPortGroup
    | Upload
    | CreateServer
    | StartServer
    | AwaitServer
    | CreateFloatingIp
    | AttachFloatingIp
    | SetTag
    | RemoveInterface
    | Delete
)
