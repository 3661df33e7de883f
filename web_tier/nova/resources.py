"""What is seen of a cloud: plain data, one class a kind of resource. `marked` says that its mark is complete."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of resource that a web tier is made of, in the order in which they are made."""

    NETWORK = "network"
    SUBNET = "subnet"
    ROUTER = "router"
    SECURITY_GROUP = "security group"
    PORT = "port"
    KEY_PAIR = "key pair"
    IMAGE = "image"
    FLAVOR = "flavor"
    SERVER = "server"
    FLOATING_IP = "floating IP"


@dataclass(frozen=True)
class Network:
    """A network of the project, or an external one."""

    id: str
    name: str
    marked: bool = True


@dataclass(frozen=True)
class Subnet:
    """A range of addresses."""

    id: str
    network_id: str
    cidr: str
    marked: bool = True


@dataclass(frozen=True)
class Router:
    """A router; `external` is the id of the network that its gateway stands in."""

    id: str
    external: str | None
    subnet_ids: frozenset[str]
    marked: bool = True


@dataclass(frozen=True)
class Ingress:
    """What a security group lets in: one range of ports over TCP, from one range of addresses."""

    port: int
    source: str

    def __str__(self) -> str:
        return f"TCP {self.port} from {self.source}"


@dataclass(frozen=True)
class Rule:
    """A rule for what comes in. `ingress` is None for one that is not of the kind that we make."""

    id: str
    ingress: Ingress | None
    text: str


@dataclass(frozen=True)
class SecurityGroup:
    """A security group and its rules for what comes in."""

    id: str
    rules: tuple[Rule, ...]
    marked: bool = True


@dataclass(frozen=True)
class Port:
    """The server's place in the network; it outlives a server that is replaced, and keeps its addresses."""

    id: str
    network_id: str
    group_ids: frozenset[str]
    marked: bool = True


@dataclass(frozen=True)
class KeyPair:
    """A key pair; `public_key` without its comment."""

    name: str
    public_key: str


@dataclass(frozen=True)
class Image:
    """A disk image in Glance. `hash` is its content's, in hex, by the algorithm `hash_name`."""

    id: str
    name: str
    status: str
    hash: str = ""
    hash_name: str = ""


@dataclass(frozen=True)
class Flavor:
    """A size of machine: memory in MB, disk in GB. `marked` says that we made it."""

    id: str
    name: str
    ram: int
    disk: int
    vcpus: int
    marked: bool = False


@dataclass(frozen=True)
class Server:
    """A virtual machine. `fault` is why it is in ERROR, `user_data` the hash of what it was given."""

    id: str
    status: str
    user_data: str
    image_id: str | None = None
    fault: str = ""


@dataclass(frozen=True)
class FloatingIp:
    """An address of the external network, and the port that it leads to."""

    id: str
    address: str
    port_id: str | None
    marked: bool = True


@dataclass(frozen=True)
class Observation:
    """What the deployment has, all that carries its mark, and what it may choose from."""

    networks: tuple[Network, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    routers: tuple[Router, ...] = ()
    security_groups: tuple[SecurityGroup, ...] = ()
    ports: tuple[Port, ...] = ()
    key_pairs: tuple[KeyPair, ...] = ()
    images: tuple[Image, ...] = ()
    servers: tuple[Server, ...] = ()
    floating_ips: tuple[FloatingIp, ...] = ()
    # To choose from: every external network and flavor the project may use, images and key pairs of the wanted name.
    external_networks: tuple[Network, ...] = ()
    flavors: tuple[Flavor, ...] = ()
    named_images: tuple[Image, ...] = ()
    named_key_pairs: tuple[KeyPair, ...] = ()
