"""PURE: what a deployment has, as a list for people."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from web_tier.nova.resources import Kind, Observation


@dataclass(frozen=True)
class Item:
    """One resource: its id (a key pair's name) and what is to be said of it."""

    kind: Kind
    id: str
    state: str

    def as_json(self) -> dict[str, str]:
        """For `--json`."""
        return asdict(self)


def inventory(seen: Observation) -> list[Item]:
    """All that carries the mark, in the order in which it is made."""
    return list(_items(seen))


def _items(seen: Observation) -> Iterable[Item]:
    for network in seen.networks:
        yield Item(Kind.NETWORK, network.id, _state(network.marked))
    for subnet in seen.subnets:
        yield Item(Kind.SUBNET, subnet.id, _state(subnet.marked, subnet.cidr))
    for router in seen.routers:
        gateway = f"gateway in {router.external}" if router.external else "no gateway"
        yield Item(Kind.ROUTER, router.id, _state(router.marked, gateway))
    for group in seen.security_groups:
        rules = ", ".join(sorted(rule.text for rule in group.rules)) or "nothing comes in"
        yield Item(Kind.SECURITY_GROUP, group.id, _state(group.marked, rules))
    for port in seen.ports:
        yield Item(Kind.PORT, port.id, _state(port.marked))
    for ip in seen.floating_ips:
        leads = f"leads to port {ip.port_id}" if ip.port_id else "leads nowhere"
        yield Item(Kind.FLOATING_IP, ip.id, _state(ip.marked, ip.address, leads))
    for pair in seen.key_pairs:
        yield Item(Kind.KEY_PAIR, pair.name, pair.public_key.split()[0])
    for image in seen.images:
        yield Item(Kind.IMAGE, image.id, image.status)
    for flavor in seen.flavors:
        if flavor.marked:
            yield Item(Kind.FLAVOR, flavor.id, f"{flavor.ram} MB, {flavor.disk} GB")
    for server in seen.servers:
        yield Item(Kind.SERVER, server.id, f"{server.status}: {server.fault}" if server.fault else server.status)


def _state(marked: bool, *said: str) -> str:
    return ", ".join((*said, "tagged" if marked else "not tagged yet"))
