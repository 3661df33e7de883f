"""What a deployment has in the cloud, by its mark, and what it may choose from. Nothing is changed here."""

from collections.abc import Iterable
from typing import Any

from openstack.connection import Connection

from web_tier.nova.mark import IMAGE_PROPERTY, SERVER_KEY, USER_DATA_KEY, Mark
from web_tier.nova.resources import (
    Flavor,
    FloatingIp,
    Image,
    Ingress,
    KeyPair,
    Network,
    Observation,
    Port,
    Router,
    Rule,
    SecurityGroup,
    Server,
    Subnet,
)
from web_tier.nova.wanted import ANYWHERE

# The owners of a router's ports in subnets, with and without high availability.
_INTERFACES = (
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
)


def observe(cloud: Connection, mark: Mark, *, image: str | None = None, key_pair: str | None = None) -> Observation:
    """Look at all that carries the mark, and at the images and the key pair of these names or ids.

    Raises:
        openstack.exceptions.SDKException, keystoneauth1.exceptions.ClientException: the cloud did not answer so.
    """
    project = cloud.session.get_project_id()
    network, compute = cloud.network, cloud.compute

    def ours(resources: Iterable[Any]) -> list[Any]:
        return [r for r in resources if r.description == mark.tag or mark.tag in (r.tags or ())]

    def marked(resource: Any) -> bool:
        return mark.tag in (resource.tags or ())

    own = {"project_id": project}
    all_flavors = [_flavor(flavor, mark) for flavor in compute.flavors()]
    pairs = [KeyPair(p.name, " ".join(p.public_key.split()[:2])) for p in compute.keypairs()]
    return Observation(
        networks=tuple(Network(n.id, n.name, marked(n)) for n in ours(network.networks(**own))),
        subnets=tuple(Subnet(s.id, s.network_id, s.cidr, marked(s)) for s in ours(network.subnets(**own))),
        routers=tuple(
            Router(r.id, (r.external_gateway_info or {}).get("network_id"), _interfaces(cloud, r.id), marked(r))
            for r in ours(network.routers(**own))
        ),
        security_groups=tuple(
            SecurityGroup(g.id, tuple(_rules(g.security_group_rules)), marked(g))
            for g in ours(network.security_groups(**own))
        ),
        ports=tuple(
            Port(p.id, p.network_id, frozenset(p.security_group_ids), marked(p)) for p in ours(network.ports(**own))
        ),
        floating_ips=tuple(
            FloatingIp(f.id, f.floating_ip_address, f.port_id, marked(f)) for f in ours(network.ips(**own))
        ),
        key_pairs=tuple(pair for pair in pairs if pair.name == mark.name),
        images=tuple(
            _image(found)
            for found in cloud.image.images(owner=project)
            if found.properties.get(IMAGE_PROPERTY) == mark.prefix
        ),
        servers=tuple(
            _server(found) for found in compute.servers() if (found.metadata or {}).get(SERVER_KEY) == mark.prefix
        ),
        external_networks=tuple(Network(n.id, n.name) for n in network.networks(**{"is_router_external": True})),
        flavors=tuple(all_flavors),
        named_images=tuple(_named_images(cloud, image)) if image is not None else (),
        named_key_pairs=tuple(pair for pair in pairs if pair.name == key_pair),
    )


def _interfaces(cloud: Connection, router_id: str) -> frozenset[str]:
    return frozenset(
        address["subnet_id"]
        for port in cloud.network.ports(device_id=router_id)
        if port.device_owner in _INTERFACES
        for address in port.fixed_ips
    )


def _rules(rules: Iterable[dict[str, Any]]) -> Iterable[Rule]:
    for rule in rules:
        if rule["direction"] != "ingress":
            continue
        source = rule["remote_ip_prefix"] or (ANYWHERE if rule["ethertype"] == "IPv4" else "::/0")
        first, last = rule["port_range_min"], rule["port_range_max"]
        protocol = rule["protocol"]
        ours = protocol == "tcp" and first is not None and first == last and rule["remote_group_id"] is None
        ports = "every port" if first is None else f"port {first}" if first == last else f"ports {first} to {last}"
        text = f"{ports} of {protocol or 'any protocol'} from {rule['remote_group_id'] or source}"
        yield Rule(rule["id"], Ingress(first, source) if ours and rule["ethertype"] == "IPv4" else None, text)


def _flavor(flavor: Any, mark: Mark) -> Flavor:
    return Flavor(flavor.id, flavor.name, flavor.ram, flavor.disk, flavor.vcpus, flavor.description == mark.tag)


def _image(image: Any) -> Image:
    return Image(image.id, image.name, image.status, image.hash_value or "", image.hash_algo or "")


def _named_images(cloud: Connection, wanted: str) -> list[Image]:
    by_name = [_image(found) for found in cloud.image.images(name=wanted)]
    return by_name or [_image(found) for found in cloud.image.images(id=wanted)]


def _server(server: Any) -> Server:
    # A server that is being deleted is ACTIVE to its end.
    status = "DELETING" if server.task_state == "deleting" else server.status
    image = (server.image or {}).get("id") if server.image else None
    fault = (server.fault or {}).get("message", "")
    return Server(server.id, status, (server.metadata or {}).get(USER_DATA_KEY, ""), image, fault)
