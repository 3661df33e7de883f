"""What `novaburst nova status` says."""

from dataclasses import replace

from tests.unit.web_tier.nova.model import EMPTY, done, wanted
from web_tier.nova.inventory import inventory
from web_tier.nova.plan import plan_up
from web_tier.nova.resources import Kind, Network


def test_all_that_is_ours_is_listed_and_what_is_others_is_not() -> None:
    plan = plan_up(wanted(), EMPTY)
    seen = done(EMPTY, plan.steps, plan.known, wanted())
    kinds = [item.kind for item in inventory(seen)]
    assert sorted(kinds) == sorted(kind for kind in Kind if kind is not Kind.FLAVOR)
    assert inventory(EMPTY) == []


def test_what_lost_its_maker_before_it_was_tagged_is_told_apart() -> None:
    seen = replace(EMPTY, networks=(Network("n1", "lab-7-web-tier"), Network("n2", "lab-7-web-tier", marked=False)))
    assert [item.state for item in inventory(seen)] == ["tagged", "not tagged yet"]


def test_a_server_in_error_is_shown_with_its_fault() -> None:
    plan = plan_up(wanted(), EMPTY)
    seen = done(EMPTY, plan.steps, plan.known, wanted())
    seen = replace(seen, servers=(replace(seen.servers[0], status="ERROR", fault="No valid host was found."),))
    assert inventory(seen)[-1].state == "ERROR: No valid host was found."
