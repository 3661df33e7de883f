"""The plan of the private cloud's resources, on a cloud on paper."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.web_tier.nova.model import EMPTY, FILE, KEY, MARK, PUBLIC, SMALL, done, wanted
from web_tier.nova.plan import plan_down, plan_up
from web_tier.nova.problem import NovaError
from web_tier.nova.resources import Flavor, Image, Ingress, KeyPair, Kind, Network, Observation, Port, Rule, Subnet
from web_tier.nova.steps import (
    AddInterface,
    Allow,
    AttachFloatingIp,
    AwaitServer,
    Create,
    CreateServer,
    Delete,
    Revoke,
    SetGateway,
    SetPortGroup,
    SetTag,
    StartServer,
    Upload,
)
from web_tier.nova.wanted import ImageFile


def up(seen: Observation = EMPTY, **changes: Any) -> Observation:
    """What is seen once a whole `up` is done."""
    want = wanted(**changes)
    plan = plan_up(want, seen)
    return done(seen, plan.steps, plan.known, want)


def test_a_plan_that_was_carried_out_leaves_nothing_to_do() -> None:
    assert plan_up(wanted(), up()).steps == ()


@given(st.lists(st.integers(1, 4), min_size=1, max_size=20), st.booleans(), st.booleans())
def test_whatever_interrupts_it_and_however_often_it_completes_to_one_of_each(
    strides: list[int], named_image: bool, own_flavor: bool
) -> None:
    image = Image("i-9", "debian-12", "active")
    want = wanted(image="debian-12") if named_image else wanted()
    seen = replace(EMPTY, named_images=(image,), flavors=() if own_flavor else (SMALL,))
    for stride in strides:
        plan = plan_up(want, seen)
        seen = done(seen, plan.steps[:stride], plan.known, want)
    plan = plan_up(want, seen)
    seen = done(seen, plan.steps, plan.known, want)
    assert plan_up(want, seen).steps == ()
    whole = [seen.networks, seen.subnets, seen.routers, seen.security_groups, seen.ports, seen.floating_ips]
    assert [len(kind) for kind in [*whole, seen.key_pairs, seen.servers]] == [1] * 8
    assert len(seen.images) == (0 if named_image else 1)


@given(st.integers(0, 40))
def test_down_leaves_nothing_of_ours_however_far_up_had_come(steps: int) -> None:
    want = wanted()
    seen = replace(EMPTY, flavors=())
    plan = plan_up(want, seen)
    seen = done(seen, plan.steps[:steps], plan.known, want)
    down = plan_down(seen)
    assert done(seen, down.steps, down.known, want) == replace(EMPTY, flavors=())


def test_down_touches_neither_the_flavors_nor_the_networks_of_others() -> None:
    seen = up()
    deleted = {step.id for step in plan_down(seen).steps if isinstance(step, Delete)}
    assert SMALL.id not in deleted
    assert PUBLIC.id not in deleted


def test_down_of_nothing_does_nothing() -> None:
    assert plan_down(EMPTY).steps == ()


def test_down_removes_every_one_of_several() -> None:
    seen = replace(EMPTY, networks=(Network("n1", "a"), Network("n2", "b")))
    assert [step.id for step in plan_down(seen).steps if isinstance(step, Delete)] == ["n1", "n2"]


def test_only_ssh_from_the_given_ranges_and_the_web_from_anywhere_come_in() -> None:
    group = up(ssh_from=("192.0.2.0/24", "198.51.100.7/32")).security_groups[0]
    assert {rule.ingress for rule in group.rules} == {
        Ingress(22, "192.0.2.0/24"),
        Ingress(22, "198.51.100.7/32"),
        Ingress(80, "0.0.0.0/0"),
        Ingress(443, "0.0.0.0/0"),
    }


def test_without_a_range_ssh_is_closed() -> None:
    group = up(ssh_from=()).security_groups[0]
    assert {rule.ingress.port for rule in group.rules if rule.ingress} == {80, 443}


def test_a_changed_range_for_ssh_replaces_the_rule_and_nothing_else() -> None:
    plan = plan_up(wanted(ssh_from=("198.51.100.0/24",)), up())
    assert [type(step) for step in plan.steps] == [Revoke, Allow]


def test_a_rule_that_somebody_added_is_revoked() -> None:
    seen = up()
    extra = Rule("r-9", None, "every port of udp from 0.0.0.0/0")
    seen = replace(
        seen, security_groups=(replace(seen.security_groups[0], rules=(*seen.security_groups[0].rules, extra)),)
    )
    (step,) = plan_up(wanted(), seen).steps
    assert step == Revoke("r-9", extra.text, "nothing but what is wanted may come in")


def test_what_lost_its_maker_before_it_was_tagged_is_tagged_rather_than_made_again() -> None:
    seen = up()
    seen = replace(
        seen,
        networks=(replace(seen.networks[0], marked=False),),
        subnets=(replace(seen.subnets[0], marked=False),),
        routers=(replace(seen.routers[0], marked=False),),
        security_groups=(replace(seen.security_groups[0], marked=False),),
        ports=(replace(seen.ports[0], marked=False),),
        floating_ips=(replace(seen.floating_ips[0], marked=False),),
    )
    steps = plan_up(wanted(), seen).steps
    assert all(isinstance(step, SetTag) for step in steps)
    assert len(steps) == 6


def test_a_router_without_gateway_or_interface_gets_both() -> None:
    seen = up()
    seen = replace(seen, routers=(replace(seen.routers[0], external=None, subnet_ids=frozenset()),))
    assert [type(step) for step in plan_up(wanted(), seen).steps] == [SetGateway, AddInterface]


def test_a_gateway_is_not_moved_to_another_network() -> None:
    seen = replace(up(), external_networks=(PUBLIC, Network("ext-2", "campus")))
    with pytest.raises(NovaError, match="gateway stands in another network than campus"):
        plan_up(wanted(external_network="campus"), seen)


def test_a_port_in_another_security_group_is_put_into_ours() -> None:
    seen = up()
    seen = replace(seen, ports=(replace(seen.ports[0], group_ids=frozenset({"default"})),))
    (step,) = plan_up(wanted(), seen).steps
    assert isinstance(step, SetPortGroup)


@pytest.mark.parametrize("port", [None, "other"])
def test_an_address_that_leads_elsewhere_is_led_to_the_port(port: str | None) -> None:
    seen = up()
    seen = replace(seen, floating_ips=(replace(seen.floating_ips[0], port_id=port),))
    (step,) = plan_up(wanted(), seen).steps
    assert isinstance(step, AttachFloatingIp)


def test_two_of_one_kind_are_a_problem_that_names_both() -> None:
    seen = replace(up(), subnets=(Subnet("s1", "n", "10.77.0.0/24"), Subnet("s2", "n", "10.77.0.0/24")))
    with pytest.raises(NovaError, match=r"2 subnets carry novaburst:lab-7: s1, s2") as error:
        plan_up(wanted(), seen)
    assert "nova down" in error.value.remedy


def test_another_range_of_addresses_is_noted_and_not_done() -> None:
    plan = plan_up(wanted(cidr="10.9.0.0/24"), up())
    assert plan.steps == ()
    assert "10.77.0.0/24, not 10.9.0.0/24" in plan.notes[0]


def test_a_server_in_error_is_replaced_and_the_reason_is_its_fault() -> None:
    seen = up()
    seen = replace(seen, servers=(replace(seen.servers[0], status="ERROR", fault="No valid host was found."),))
    delete, create, wait = plan_up(wanted(), seen).steps
    assert delete == Delete(Kind.SERVER, seen.servers[0].id, "No valid host was found.")
    assert isinstance(create, CreateServer)
    assert isinstance(wait, AwaitServer)


@pytest.mark.parametrize(
    ("status", "steps"),
    [("BUILD", [AwaitServer]), ("SHUTOFF", [StartServer, AwaitServer]), ("HARD_REBOOT", [AwaitServer]), ("ACTIVE", [])],
)
def test_a_server_that_is_there_is_brought_to_run(status: str, steps: list[type]) -> None:
    seen = up()
    seen = replace(seen, servers=(replace(seen.servers[0], status=status),))
    assert [type(step) for step in plan_up(wanted(), seen).steps] == steps


def test_a_server_that_is_going_is_awaited_and_replaced() -> None:
    seen = up()
    seen = replace(seen, servers=(replace(seen.servers[0], status="DELETING"),))
    assert [type(step) for step in plan_up(wanted(), seen).steps] == [Delete, CreateServer, AwaitServer]


def test_what_a_person_did_to_a_server_is_not_undone_but_said() -> None:
    seen = up()
    seen = replace(seen, servers=(replace(seen.servers[0], status="PAUSED"),))
    with pytest.raises(NovaError) as error:
        plan_up(wanted(), seen)
    assert f"openstack server unpause {seen.servers[0].id}" in error.value.remedy


def test_other_user_data_is_noted_and_the_server_stays() -> None:
    plan = plan_up(wanted(user_data="#cloud-config\nother: 1\n"), up())
    assert plan.steps == ()
    assert "other user data" in plan.notes[0]


def test_on_demand_other_user_data_replaces_the_server_and_keeps_its_address() -> None:
    changes = {"user_data": "#cloud-config\nother: 1\n", "replace_server": True}
    before = up()
    plan = plan_up(wanted(**changes), before)
    assert [type(step) for step in plan.steps] == [Delete, CreateServer, AwaitServer]
    after = done(before, plan.steps, plan.known, wanted(**changes))
    assert after.floating_ips == before.floating_ips
    assert after.ports == before.ports
    assert plan_up(wanted(**changes), after).steps == ()


def test_on_demand_another_image_is_uploaded_and_replaces_the_server() -> None:
    changes = {"image": replace(FILE, sha512="beef"), "replace_server": True}
    plan = plan_up(wanted(**changes), up())
    assert [type(step) for step in plan.steps] == [Delete, Delete, Upload, CreateServer, AwaitServer]


def test_another_image_is_noted_while_a_server_runs_on_the_one_before() -> None:
    plan = plan_up(wanted(image=replace(FILE, sha512="beef")), up())
    assert plan.steps == ()
    assert "another image" in plan.notes[0]


DEBIAN, NEWER = Image("i-12", "debian-12", "active"), Image("i-13", "debian-13", "active")


def up_by_name(image: Image) -> Observation:
    """What is seen once a whole `up` with an image that is there is done."""
    return up(replace(EMPTY, named_images=(image,)), image=image.name)


@pytest.mark.parametrize(
    ("before", "image", "named"),
    [
        (up_by_name(DEBIAN), "debian-13", (NEWER,)),
        (up_by_name(DEBIAN), "i-13", (NEWER,)),
        # Somebody has put a newer one in its place, under the same name.
        (up_by_name(DEBIAN), "debian-12", (replace(DEBIAN, id="i-14"),)),
        (up_by_name(DEBIAN), FILE, ()),
        (up(), "debian-13", (NEWER,)),
    ],
    ids=["name to name", "name to id", "same name", "name to file", "file to name"],
)
def test_another_image_replaces_the_server_on_demand_and_is_noted_without_however_either_is_named(
    before: Observation, image: ImageFile | str, named: tuple[Image, ...]
) -> None:
    seen = replace(before, named_images=named)
    noted = plan_up(wanted(image=image), seen)
    assert "the server stays, although it was made from another image: --replace-server" in noted.notes[0]
    assert not any(isinstance(step, Delete) for step in noted.steps)
    want = wanted(image=image, replace_server=True)
    plan = plan_up(want, seen)
    assert plan.steps[0] == Delete(Kind.SERVER, before.servers[0].id, "it was made from another image")
    after = done(seen, plan.steps, plan.known, want)
    assert after.servers[0].id != before.servers[0].id
    assert plan_up(want, after).steps == ()


@pytest.mark.parametrize("image", ["debian-12", FILE])
def test_from_which_image_a_server_on_a_volume_was_made_is_not_known_and_nothing_is_replaced(
    image: ImageFile | str,
) -> None:
    seen = up()
    seen = replace(seen, servers=(replace(seen.servers[0], image_id=None),), named_images=(DEBIAN,))
    plan = plan_up(wanted(image=image, replace_server=True), seen)
    assert (plan.steps, plan.notes) == ((), ())


def test_an_image_that_is_not_there_any_more_is_missed_when_it_is_to_replace_the_server() -> None:
    seen = replace(up_by_name(DEBIAN), named_images=())
    with pytest.raises(NovaError, match="there is no image debian-12"):
        plan_up(wanted(image="debian-12", replace_server=True), seen)


def test_of_a_server_that_goes_in_any_case_it_is_not_said_that_it_stays() -> None:
    seen = replace(up_by_name(DEBIAN), named_images=(NEWER,))
    seen = replace(seen, servers=(replace(seen.servers[0], status="ERROR", fault="Image is too large."),))
    plan = plan_up(wanted(image="debian-13"), seen)
    assert [type(step) for step in plan.steps] == [Delete, CreateServer, AwaitServer]
    assert plan.notes == ()


@pytest.mark.parametrize("status", ["queued", "saving", "killed"])
def test_an_image_whose_upload_broke_is_deleted_and_uploaded_again(status: str) -> None:
    steps = plan_up(wanted(), replace(EMPTY, images=(Image("i-1", MARK.name, status),))).steps
    assert any(isinstance(step, Delete) and step.id == "i-1" for step in steps)
    assert any(isinstance(step, Upload) for step in steps)


def test_the_flavor_of_the_seed_is_found_rather_than_made() -> None:
    large = Flavor("f-2", "m1.large", 4096, 40, 2)
    steps = plan_up(wanted(), replace(EMPTY, flavors=(large, SMALL))).steps
    (server,) = (step for step in steps if isinstance(step, CreateServer))
    assert server.flavor == SMALL.id
    assert not any(isinstance(step, Create) and step.kind is Kind.FLAVOR for step in steps)


def test_a_flavor_that_is_not_there_is_made_and_the_reason_names_those_that_would_do() -> None:
    large = Flavor("f-2", "m1.large", 4096, 40, 2)
    steps = plan_up(wanted(), replace(EMPTY, flavors=(large,))).steps
    (create,) = (step for step in steps if isinstance(step, Create) and step.kind is Kind.FLAVOR)
    assert "m1.large (4096 MB, 40 GB)" in create.why


def test_a_key_pair_of_that_name_and_another_key_is_nobodys_to_overwrite() -> None:
    seen = replace(EMPTY, key_pairs=(KeyPair(MARK.name, "ssh-ed25519 BBBB"),))
    with pytest.raises(NovaError, match="of another public key"):
        plan_up(wanted(), seen)


def test_the_comment_of_a_public_key_makes_no_difference() -> None:
    assert plan_up(wanted(public_key=f"{KEY}-elsewhere"), up()).steps == ()


def test_a_key_pair_of_others_is_used_by_name_and_none_is_made() -> None:
    seen = replace(EMPTY, named_key_pairs=(KeyPair("mine", "ssh-ed25519 CCCC"),))
    steps = plan_up(wanted(public_key=None, key_pair="mine"), seen).steps
    assert not any(isinstance(step, Create) and step.kind is Kind.KEY_PAIR for step in steps)
    (server,) = (step for step in steps if isinstance(step, CreateServer))
    assert server.key_name == "mine"


def test_nothing_is_planned_for_a_machine_that_nobody_could_enter() -> None:
    with pytest.raises(NovaError, match="no key for SSH"):
        plan_up(wanted(public_key=None), EMPTY)


def test_an_image_that_is_there_is_needed_only_for_a_new_server() -> None:
    want = wanted(image="debian-12")
    seen = replace(EMPTY, named_images=(Image("i-9", "debian-12", "active"),))
    plan = plan_up(want, seen)
    running = replace(done(seen, plan.steps, plan.known, want), named_images=())
    again = plan_up(want, running)
    assert (again.steps, again.notes) == ((), ())


def test_user_data_that_nova_would_refuse_is_refused_before_anything_is_made() -> None:
    with pytest.raises(NovaError, match="Nova takes 65535"):
        plan_up(wanted(user_data="#" * 60_000), EMPTY)


def test_a_floating_ip_comes_from_the_network_of_the_gateway() -> None:
    seen = replace(up(), floating_ips=(), external_networks=(Network("ext-2", "campus"), PUBLIC))
    (step,) = plan_up(wanted(), seen).steps
    assert str(step) == "create floating IP in public"


def test_a_port_of_the_default_group_only_belongs_to_nobody_else() -> None:
    seen = replace(EMPTY, ports=(Port("p-1", "n-1", frozenset()),))
    assert any(isinstance(step, SetPortGroup) for step in plan_up(wanted(), seen).steps)
