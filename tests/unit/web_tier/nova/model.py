"""A cloud on paper: what is seen of it after each step of a plan."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from web_tier.nova.mark import Mark
from web_tier.nova.resources import (
    Flavor,
    FloatingIp,
    Image,
    KeyPair,
    Kind,
    Network,
    Observation,
    Port,
    Router,
    Rule,
    SecurityGroup,
    Server,
    Subnet,
)
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
from web_tier.nova.wanted import ImageFile, Wanted

MARK = Mark("lab-7")
PUBLIC = Network("ext-1", "public")
SMALL = Flavor("f-1", "m1.seed", 512, 5, 1)
KEY = "ssh-ed25519 AAAA me@here"
FILE = ImageFile(Path("debian.qcow2"), "qcow2", "f00d")
EMPTY = Observation(external_networks=(PUBLIC,), flavors=(SMALL,))

_FIELDS = {
    Kind.NETWORK: "networks",
    Kind.SUBNET: "subnets",
    Kind.ROUTER: "routers",
    Kind.SECURITY_GROUP: "security_groups",
    Kind.PORT: "ports",
    Kind.KEY_PAIR: "key_pairs",
    Kind.IMAGE: "images",
    Kind.FLAVOR: "flavors",
    Kind.SERVER: "servers",
    Kind.FLOATING_IP: "floating_ips",
}
_numbers = count(1)


def wanted(**changes: Any) -> Wanted:
    """What most tests want."""
    given: dict[str, Any] = {"mark": MARK, "user_data": "#cloud-config\n", "image": FILE, "public_key": KEY}
    return Wanted(**(given | {"ssh_from": ("192.0.2.0/24",)} | changes))


def done(seen: Observation, steps: Iterable[Step], known: Mapping[Kind, str], of: Wanted) -> Observation:
    """What is seen once these steps are done."""
    ids = dict(known)
    for step in steps:
        seen = _after(seen, step, ids, of)
    return seen


def _after(seen: Observation, step: Step, ids: dict[Kind, str], of: Wanted) -> Observation:
    match step:
        case Create() | CreateRouter() | CreateFloatingIp() | Upload() | CreateServer():
            kind, resource = _made(seen, step, ids, of)
            ids[kind] = _identity(resource)
            return _with(_without(seen, kind, ids[kind]), kind, resource)
        case AddInterface() | RemoveInterface() | SetGateway():
            return _routed(seen, step, ids)
        case Allow() | Revoke():
            return _guarded(seen, step, ids)
        case _:
            return _settled(seen, step, ids)


def _made(
    seen: Observation,
    step: Create | CreateRouter | CreateFloatingIp | Upload | CreateServer,
    ids: Mapping[Kind, str],
    of: Wanted,
) -> tuple[Kind, object]:
    new = f"id-{next(_numbers)}"
    match step:
        case Create():
            return step.kind, _plain(step.kind, new, ids, of)
        case CreateRouter():
            return Kind.ROUTER, Router(new, step.external, frozenset())
        case CreateFloatingIp():
            # No address leads to a network that the gateway's router does not stand in.
            assert any(ids[Kind.SUBNET] in r.subnet_ids and r.external == step.external for r in seen.routers)
            return Kind.FLOATING_IP, FloatingIp(new, "203.0.113.9", ids[Kind.PORT])
        case Upload():
            return Kind.IMAGE, Image(new, of.mark.name, "active", step.file.sha512, "sha512")
        case CreateServer():
            assert seen.ports
            assert step.image or seen.images[0].status == "active"
            assert step.flavor or ids[Kind.FLAVOR]
            return Kind.SERVER, Server(new, "BUILD", of.user_data_hash, step.image or ids[Kind.IMAGE])


def _routed(
    seen: Observation, step: AddInterface | RemoveInterface | SetGateway, ids: Mapping[Kind, str]
) -> Observation:
    wanted_id = step.router_id if isinstance(step, RemoveInterface) else ids[Kind.ROUTER]
    (router,) = (r for r in seen.routers if r.id == wanted_id)
    match step:
        case SetGateway():
            return _change(seen, Kind.ROUTER, router.id, external=step.external)
        case AddInterface():
            return _change(seen, Kind.ROUTER, router.id, subnet_ids=router.subnet_ids | {ids[Kind.SUBNET]})
        case RemoveInterface():
            return _change(seen, Kind.ROUTER, router.id, subnet_ids=router.subnet_ids - {step.subnet_id})


def _guarded(seen: Observation, step: Allow | Revoke, ids: Mapping[Kind, str]) -> Observation:
    (group,) = (g for g in seen.security_groups if g.id == ids[Kind.SECURITY_GROUP])
    rules = tuple(rule for rule in group.rules if isinstance(step, Allow) or rule.id != step.rule_id)
    if isinstance(step, Allow):
        rules = (*rules, Rule(f"id-{next(_numbers)}", step.ingress, str(step.ingress)))
    return _change(seen, Kind.SECURITY_GROUP, group.id, rules=rules)


def _settled(seen: Observation, step: Step, ids: Mapping[Kind, str]) -> Observation:
    match step:
        case AwaitServer() | StartServer():
            return _change(seen, Kind.SERVER, ids[Kind.SERVER], status="ACTIVE")
        case SetPortGroup():
            return _change(seen, Kind.PORT, ids[Kind.PORT], group_ids=frozenset({ids[Kind.SECURITY_GROUP]}))
        case AttachFloatingIp():
            return _change(seen, Kind.FLOATING_IP, ids[Kind.FLOATING_IP], port_id=ids[Kind.PORT])
        case SetTag():
            return _change(seen, step.kind, ids[step.kind], marked=True)
        case Delete():
            _check_free(seen, step)
            return _without(seen, step.kind, step.id)
        case _:
            raise AssertionError(step)


def _plain(kind: Kind, new: str, ids: Mapping[Kind, str], of: Wanted) -> object:
    makers: dict[Kind, Callable[[], object]] = {
        Kind.NETWORK: lambda: Network(new, of.mark.name),
        Kind.SUBNET: lambda: Subnet(new, ids[Kind.NETWORK], of.cidr),
        Kind.SECURITY_GROUP: lambda: SecurityGroup(new, ()),
        Kind.PORT: lambda: Port(new, ids[Kind.NETWORK], frozenset({ids[Kind.SECURITY_GROUP]})),
        Kind.KEY_PAIR: lambda: KeyPair(of.mark.name, " ".join(str(of.public_key).split()[:2])),
        Kind.FLAVOR: lambda: Flavor(new, of.mark.name, of.ram, of.disk, 1, marked=True),
    }
    return makers[kind]()


def _check_free(seen: Observation, step: Delete) -> None:
    """What OpenStack refuses to delete, as long as something stands on it."""
    match step.kind:
        case Kind.NETWORK:
            assert not any(p.network_id == step.id for p in seen.ports)
            assert not any(s.network_id == step.id for s in seen.subnets)
        case Kind.SUBNET:
            assert not any(step.id in router.subnet_ids for router in seen.routers)
        case Kind.ROUTER:
            assert not any(router.subnet_ids for router in seen.routers if router.id == step.id)
        case Kind.SECURITY_GROUP:
            assert not any(step.id in port.group_ids for port in seen.ports)
        case _:
            pass


def _identity(resource: Any) -> str:
    return str(resource.name if isinstance(resource, KeyPair) else resource.id)


def _with(seen: Observation, kind: Kind, resource: object) -> Observation:
    return replace(seen, **{_FIELDS[kind]: (*getattr(seen, _FIELDS[kind]), resource)})


def _without(seen: Observation, kind: Kind, identity: str) -> Observation:
    kept = tuple(r for r in getattr(seen, _FIELDS[kind]) if _identity(r) != identity)
    return replace(seen, **{_FIELDS[kind]: kept})


def _change(seen: Observation, kind: Kind, identity: str, **fields: object) -> Observation:
    changed = tuple(replace(r, **fields) if _identity(r) == identity else r for r in getattr(seen, _FIELDS[kind]))
    return replace(seen, **{_FIELDS[kind]: changed})
