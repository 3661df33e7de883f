"""PURE: from what is wanted and what is seen to what is to be done. Nothing to do is an empty plan."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from web_tier.nova import choice
from web_tier.nova.problem import NovaError
from web_tier.nova.resources import Image, Kind, Network, Observation, SecurityGroup, Server
from web_tier.nova.steps import (
    AddInterface,
    Allow,
    AttachFloatingIp,
    AwaitServer,
    Create,
    CreateFloatingIp,
    CreateRouter,
    CreateServer,
    Delete,
    RemoveInterface,
    Revoke,
    SetGateway,
    SetPortGroup,
    SetTag,
    StartServer,
    Step,
    Upload,
)
from web_tier.nova.wanted import MAX_USER_DATA, ImageFile, Wanted


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


class _Tagged(_Identified, Protocol):
    @property
    def marked(self) -> bool: ...


T = TypeVar("T", bound=_Identified)
G = TypeVar("G", bound=_Tagged)

# States of a server that pass by themselves.
_PASSING = frozenset({"BUILD", "REBOOT", "HARD_REBOOT", "REBUILD", "PASSWORD", "MIGRATING", "RESIZE", "REVERT_RESIZE"})
# What the people who own the machine did to it, and how they undo it.
_UNDONE_BY = {
    "PAUSED": "unpause",
    "SUSPENDED": "resume",
    "SHELVED": "unshelve",
    "SHELVED_OFFLOADED": "unshelve",
    "RESCUE": "unrescue",
    "VERIFY_RESIZE": "resize confirm",
}


@dataclass(frozen=True)
class Plan:
    """What to do, in this order. `known` are the ids of what is there, `notes` what differs and stays as it is."""

    steps: tuple[Step, ...]
    known: Mapping[Kind, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def plan_up(wanted: Wanted, seen: Observation) -> Plan:
    """What brings the web tier up, or completes it.

    Raises:
        NovaError: it cannot be; nothing that only a person can decide is decided here.
    """
    return _Up(wanted, seen).plan()


def plan_down(seen: Observation) -> Plan:
    """What removes all that carries the mark, each before what it stands on."""
    why = "it carries the mark"
    steps: list[Step] = [Delete(Kind.SERVER, server.id, why) for server in seen.servers]
    steps += [Delete(Kind.FLOATING_IP, ip.id, why) for ip in seen.floating_ips]
    steps += [Delete(Kind.PORT, port.id, why) for port in seen.ports]
    for router in seen.routers:
        steps += [RemoveInterface(router.id, subnet, "the router is to go") for subnet in sorted(router.subnet_ids)]
        steps.append(Delete(Kind.ROUTER, router.id, why))
    steps += [Delete(Kind.SUBNET, subnet.id, why) for subnet in seen.subnets]
    steps += [Delete(Kind.NETWORK, network.id, why) for network in seen.networks]
    steps += [Delete(Kind.SECURITY_GROUP, group.id, why) for group in seen.security_groups]
    steps += [Delete(Kind.KEY_PAIR, pair.name, "it carries the name") for pair in seen.key_pairs]
    steps += [Delete(Kind.IMAGE, image.id, why) for image in seen.images]
    steps += [Delete(Kind.FLAVOR, flavor.id, why) for flavor in seen.flavors if flavor.marked]
    return Plan(tuple(steps))


class _Up:
    """One decision. Each part yields its steps; a part reads what the parts before it have found to be there."""

    def __init__(self, wanted: Wanted, seen: Observation) -> None:
        self._wanted = wanted
        self._seen = seen
        self._known: dict[Kind, str] = {}
        self._notes: list[str] = []
        self._none = f"none carries {wanted.mark.tag}"

    def plan(self) -> Plan:
        if len(self._wanted.encoded_user_data) > MAX_USER_DATA:
            raise NovaError(
                f"the user data has {len(self._wanted.encoded_user_data)} bytes in base64, Nova takes {MAX_USER_DATA}",
                "Set fewer variables for the web tier.",
            )
        parts = (
            self._network(),
            self._router(),
            self._security_group(),
            self._port(),
            self._floating_ip(),
            self._key_pair(),
            self._image_and_server(),
        )
        steps = tuple(step for part in parts for step in part)
        return Plan(steps, dict(self._known), tuple(self._notes))

    def _network(self) -> Iterator[Step]:
        yield from self._marked(Kind.NETWORK, self._seen.networks)
        subnet = yield from self._marked(Kind.SUBNET, self._seen.subnets)
        if subnet is not None and subnet.cidr != self._wanted.cidr:
            self._notes.append(
                f"the subnet is {subnet.cidr}, not {self._wanted.cidr}: only `novaburst nova down` and `up` change that"
            )

    def _router(self) -> Iterator[Step]:
        def create() -> Step:
            external = self._external()
            return CreateRouter(external.id, external.name, self._none)

        router = yield from self._marked(Kind.ROUTER, self._seen.routers, create)
        if router is not None and router.external is None:
            external = self._external()
            yield SetGateway(external.id, external.name, "the router has none")
        elif (
            router is not None and self._wanted.external_network is not None and self._external().id != router.external
        ):
            raise NovaError(
                f"the router's gateway stands in another network than {self._wanted.external_network}",
                "Take the web tier down with `novaburst nova down`, and up again there.",
            )
        subnet = self._known.get(Kind.SUBNET)
        if router is None or subnet is None or subnet not in router.subnet_ids:
            yield AddInterface("the router does not stand in the subnet")

    def _security_group(self) -> Iterator[Step]:
        group = yield from self._marked(Kind.SECURITY_GROUP, self._seen.security_groups)
        yield from self._rules(group)

    def _rules(self, group: SecurityGroup | None) -> Iterator[Step]:
        rules = group.rules if group else ()
        for rule in rules:
            if rule.ingress not in self._wanted.ingress:
                yield Revoke(rule.id, rule.text, "nothing but what is wanted may come in")
        present = {rule.ingress for rule in rules}
        for ingress in self._wanted.ingress:
            if ingress not in present:
                yield Allow(ingress, "no rule lets it in")

    def _port(self) -> Iterator[Step]:
        port = yield from self._marked(Kind.PORT, self._seen.ports)
        if port is not None and port.group_ids != {self._known.get(Kind.SECURITY_GROUP)}:
            yield SetPortGroup("it is in another one")

    def _floating_ip(self) -> Iterator[Step]:
        def create() -> Step:
            external = self._gateway()
            return CreateFloatingIp(external.id, external.name, self._none)

        ip = yield from self._marked(Kind.FLOATING_IP, self._seen.floating_ips, create)
        if ip is not None and (ip.port_id is None or ip.port_id != self._known.get(Kind.PORT)):
            yield AttachFloatingIp("it does not lead to the port")

    def _key_pair(self) -> Iterator[Step]:
        if self._wanted.public_key is None:
            return
        name = self._wanted.mark.name
        pair = next(iter(self._seen.key_pairs), None)
        if pair is None:
            yield Create(Kind.KEY_PAIR, f"none is called {name}")
        elif pair.public_key != _bare(self._wanted.public_key):
            raise NovaError(
                f"the key pair {name} is there, of another public key",
                f"Delete it (`openstack keypair delete {name}`), or use it as it is with --key-pair {name}.",
            )
        else:
            self._known[Kind.KEY_PAIR] = pair.name

    def _image_and_server(self) -> Iterator[Step]:
        server = self._found(Kind.SERVER, self._seen.servers)
        doomed = self._doomed(server)
        if server is not None and doomed:
            del self._known[Kind.SERVER]
            yield Delete(Kind.SERVER, server.id, doomed)
        yield from self._image(replaceable=server is None or bool(doomed))
        if server is None or doomed:
            yield from self._new_server("the one before is gone" if doomed else self._none)
        elif server.status == "SHUTOFF":
            yield StartServer("it is shut off")
            yield AwaitServer("it was started")
        elif server.status in _PASSING:
            yield AwaitServer(f"it is in {server.status}")
        elif server.status != "ACTIVE":
            undo = _UNDONE_BY.get(server.status, "show")
            raise NovaError(
                f"the server {server.id} is {server.status}",
                f"Somebody did that: `openstack server {undo} {server.id}`.",
            )

    def _doomed(self, server: Server | None) -> str:
        """Why the server must be replaced; empty when it need not or may not be, and then it is noted."""
        if server is None:
            return ""
        if server.status in {"ERROR", "DELETING"}:
            return server.fault or f"it is {server.status}"
        reasons = []
        if server.user_data != self._wanted.user_data_hash:
            reasons.append("it was made from other user data")
        if self._changed_image(server):
            reasons.append("it was made from another image")
        if reasons and not self._wanted.replace_server:
            self._notes.append(f"the server stays, although {' and '.join(reasons)}: --replace-server replaces it")
            return ""
        return " and ".join(reasons)

    def _changed_image(self, server: Server) -> bool:
        """Whether it was made from another image, as far as the cloud tells: of one on a volume it does not."""
        wanted, made_from = self._wanted.image, server.image_id
        if isinstance(wanted, ImageFile):
            images = self._seen.images
            uploaded = made_from is None or made_from in {image.id for image in images}
            return not uploaded or any(not _same(image, wanted) for image in images)
        if made_from is None:
            return False
        try:
            return choice.image(self._seen.named_images, wanted).id != made_from
        except NovaError:
            # It is needed only for a new server.
            if self._wanted.replace_server:
                raise
            return False

    def _image(self, *, replaceable: bool) -> Iterator[Step]:
        file = self._wanted.image
        if not isinstance(file, ImageFile):
            return
        image = self._found(Kind.IMAGE, self._seen.images)
        if image is None:
            yield Upload(file, self._none)
        elif image.status != "active" or not _same(image, file):
            if image.status == "active" and not replaceable:
                return
            del self._known[Kind.IMAGE]
            other = "it has another content" if image.status == "active" else f"it is {image.status}"
            yield Delete(Kind.IMAGE, image.id, other)
            yield Upload(file, "the one before is gone")

    def _new_server(self, why: str) -> Iterator[Step]:
        wanted, seen = self._wanted, self._seen
        flavor = choice.flavor(seen.flavors, wanted.flavor, wanted.ram, wanted.disk)
        if flavor is None:
            near = choice.nearest(seen.flavors, wanted.ram, wanted.disk)
            other = f"; --flavor would take {near}" if near else ""
            yield Create(Kind.FLAVOR, f"there is none of {wanted.ram} MB and {wanted.disk} GB{other}")
        image = None if isinstance(wanted.image, ImageFile) else choice.image(seen.named_images, wanted.image).id
        key_name = self._wanted.mark.name
        if wanted.public_key is None:
            if wanted.key_pair is None:
                raise NovaError(
                    "there is no key for SSH, so nobody could enter the machine",
                    "Make one with `ssh-keygen`, or name one with --public-key or --key-pair.",
                )
            key_name = choice.key_pair(seen.named_key_pairs, wanted.key_pair).name
        yield CreateServer(flavor.id if flavor else None, image, key_name, why)
        yield AwaitServer("it is new")

    def _external(self) -> Network:
        return choice.external_network(self._seen.external_networks, self._wanted.external_network)

    def _gateway(self) -> Network:
        """The network to take an address from: that of the router's gateway, as no other one is reached from here."""
        for router in self._seen.routers:
            if router.external is not None:
                known = [network for network in self._seen.external_networks if network.id == router.external]
                return known[0] if known else Network(router.external, router.external)
        return self._external()

    def _found(self, kind: Kind, resources: Sequence[T]) -> T | None:
        """The one resource of a kind that there is."""
        if len(resources) > 1:
            ids = ", ".join(resource.id for resource in resources)
            raise NovaError(
                f"{len(resources)} {kind}s carry {self._wanted.mark.tag}: {ids}",
                "Two runs at once may have made them. Delete those not in use, or all, by `novaburst nova down`.",
            )
        if not resources:
            return None
        self._known[kind] = resources[0].id
        return resources[0]

    def _marked(
        self, kind: Kind, resources: Sequence[G], create: Callable[[], Step] | None = None
    ) -> Generator[Step, None, G | None]:
        """Have one of a kind, with its tag; the one that is there, or None when it is to be made."""
        found = self._found(kind, resources)
        if found is None:
            yield create() if create else Create(kind, self._none)
        elif not found.marked:
            yield SetTag(kind, f"only its description says {self._wanted.mark.tag}")
        return found


def _same(image: Image, file: ImageFile) -> bool:
    """Whether an image holds the file's content, as far as Glance tells."""
    return image.status != "active" or image.hash_name != "sha512" or image.hash == file.sha512


def _bare(public_key: str) -> str:
    """Type and key, without the comment."""
    return " ".join(public_key.split()[:2])
