"""What is taken from the cloud's answers. That real services answer so is tried in tests/openstack."""

from types import SimpleNamespace
from typing import Any

import pytest

from web_tier.nova.mark import Mark
from web_tier.nova.observe import observe
from web_tier.nova.resources import Flavor, Image, Ingress, KeyPair, Network, Observation, Router, Server

MARK = Mark("lab-7")
EMPTY = (
    "networks",
    "subnets",
    "routers",
    "security_groups",
    "ports",
    "ips",
    "flavors",
    "keypairs",
    "servers",
    "images",
)


def thing(identity: str, *, description: str = "", tags: tuple[str, ...] = (), **fields: Any) -> SimpleNamespace:
    """A resource as the library gives it."""
    return SimpleNamespace(id=identity, name=identity, description=description, tags=list(tags), **fields)


def look(*, image: str | None = None, key_pair: str | None = None, **answers: Any) -> Observation:
    """What is observed of a cloud that answers so; an answer may depend on what was asked for."""
    lists = {name: answers.get(name, []) for name in EMPTY}

    def listing(name: str) -> Any:
        return lambda **query: lists[name](query) if callable(lists[name]) else lists[name]

    calls = SimpleNamespace(**{name: listing(name) for name in EMPTY})
    session = SimpleNamespace(get_project_id=lambda: "p-1")
    cloud: Any = SimpleNamespace(session=session, network=calls, compute=calls, image=calls)
    return observe(cloud, MARK, image=image, key_pair=key_pair)


def rule(**fields: Any) -> dict[str, Any]:
    """A rule as Neutron has it."""
    given = {"id": "r", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "remote_group_id": None}
    return given | {"port_range_min": 80, "port_range_max": 80, "remote_ip_prefix": "0.0.0.0/0"} | fields


def test_a_resource_is_ours_by_its_tag_or_its_description_and_marked_by_its_tag_alone() -> None:
    tagged = thing("n1", tags=("novaburst:lab-7", "other"))
    described = thing("n2", description="novaburst:lab-7")
    namesake, neighbour = thing("lab-7-web-tier"), thing("n4", tags=("novaburst:lab-70",))
    seen = look(networks=lambda query: [tagged, described, namesake, neighbour] if "project_id" in query else [])
    assert seen.networks == (Network("n1", "n1"), Network("n2", "n2", marked=False))


def test_external_networks_are_those_that_the_cloud_calls_so_whosever_they_are() -> None:
    seen = look(networks=lambda query: [thing("public")] if query == {"is_router_external": True} else [])
    assert seen.external_networks == (Network("public", "public"),)


@pytest.mark.parametrize("gateway", [None, {"network_id": "ext"}])
def test_a_router_stands_in_the_subnets_of_its_interfaces_and_not_of_its_gateway(
    gateway: dict[str, str] | None,
) -> None:
    owners = {"in": "network:router_interface", "out": "network:router_gateway"}
    ports = [
        thing(name, device_owner=owner, fixed_ips=[{"subnet_id": f"s-{name}"}], security_group_ids=[], network_id="n")
        for name, owner in owners.items()
    ]
    seen = look(
        routers=[thing("r1", tags=("novaburst:lab-7",), external_gateway_info=gateway)],
        ports=lambda query: ports if query == {"device_id": "r1"} else [],
    )
    assert seen.routers == (Router("r1", gateway and gateway["network_id"], frozenset({"s-in"})),)


@pytest.mark.parametrize(
    ("fields", "ingress", "text"),
    [
        ({}, Ingress(80, "0.0.0.0/0"), "port 80 of tcp from 0.0.0.0/0"),
        ({"remote_ip_prefix": None}, Ingress(80, "0.0.0.0/0"), "port 80 of tcp from 0.0.0.0/0"),
        ({"port_range_max": 90}, None, "ports 80 to 90 of tcp from 0.0.0.0/0"),
        ({"protocol": "udp"}, None, "port 80 of udp from 0.0.0.0/0"),
        ({"remote_group_id": "g-2", "remote_ip_prefix": None}, None, "port 80 of tcp from g-2"),
        ({"ethertype": "IPv6", "remote_ip_prefix": None}, None, "port 80 of tcp from ::/0"),
        (
            {"protocol": None, "port_range_min": None, "port_range_max": None, "remote_ip_prefix": None},
            None,
            "every port of any protocol from 0.0.0.0/0",
        ),
    ],
)
def test_of_the_rules_only_one_port_of_tcp_is_of_our_kind(
    fields: dict[str, Any], ingress: Ingress | None, text: str
) -> None:
    group = thing("g1", tags=("novaburst:lab-7",), security_group_rules=[rule(**fields), rule(direction="egress")])
    (seen,) = look(security_groups=[group]).security_groups
    assert [(r.ingress, r.text) for r in seen.rules] == [(ingress, text)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Server("s1", "ACTIVE", "abc", "i1")),
        ({"task_state": "deleting"}, Server("s1", "DELETING", "abc", "i1")),
        (
            {"status": "ERROR", "fault": {"message": "No valid host"}},
            Server("s1", "ERROR", "abc", "i1", "No valid host"),
        ),
        ({"image": None}, Server("s1", "ACTIVE", "abc", None)),
    ],
)
def test_a_server_is_ours_by_its_metadata(fields: dict[str, Any], expected: Server) -> None:
    metadata = {"novaburst:deployment": "lab-7", "novaburst:user-data": "abc"}
    given = {"status": "ACTIVE", "task_state": None, "fault": None, "image": {"id": "i1"}, "metadata": metadata}
    other = thing("s2", **(given | {"metadata": {"novaburst:deployment": "lab-70"}}))
    assert look(servers=[thing("s1", **(given | fields)), other]).servers == (expected,)


def test_an_image_is_ours_by_its_property_and_one_of_others_is_found_by_name_or_else_by_id() -> None:
    plain = {"status": "active", "hash_value": "f00d", "hash_algo": "sha512"}
    ours = thing("i1", properties={"novaburst_deployment": "lab-7"}, **plain)
    debian = thing("debian", properties={}, **plain)

    def images(query: dict[str, str]) -> list[SimpleNamespace]:
        if "owner" in query:
            return [ours, debian]
        return [debian] if query in ({"name": "debian"}, {"id": "debian"}) else []

    assert look(images=images).images == (Image("i1", "i1", "active", "f00d", "sha512"),)
    assert look(images=images, image="debian").named_images == (Image("debian", "debian", "active", "f00d", "sha512"),)
    assert look(images=images, image="nothing").named_images == ()


def test_key_pairs_are_ours_by_name_and_compared_without_their_comments() -> None:
    pairs = [thing("lab-7-web-tier", public_key="ssh-ed25519 AAAA me@here"), thing("mine", public_key="ssh-rsa BBBB")]
    seen = look(keypairs=pairs, key_pair="mine")
    assert seen.key_pairs == (KeyPair("lab-7-web-tier", "ssh-ed25519 AAAA"),)
    assert seen.named_key_pairs == (KeyPair("mine", "ssh-rsa BBBB"),)


def test_a_flavor_is_ours_by_its_description() -> None:
    sizes = {"ram": 512, "disk": 5, "vcpus": 1}
    seen = look(flavors=[thing("f1", **sizes), thing("f2", description="novaburst:lab-7", **sizes)])
    assert seen.flavors == (Flavor("f1", "f1", 512, 5, 1), Flavor("f2", "f2", 512, 5, 1, marked=True))
