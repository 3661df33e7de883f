"""From zero: one step to what the policy wants, by each trigger alone, and for a handful of invocations."""

import time

import pytest

from tests.fleet.fleet import FUNCTIONS, Fleet, until
from web_tier.waker import Waker


def test_a_hundred_uploads_from_zero_ask_for_all_twenty_workers_in_one_step(fleet: Fleet) -> None:
    fleet.only("on_wake")  # the short minute of the tests would look while they are still being sent
    fleet.send(100)
    began = time.time()
    fleet.wake()
    until(fleet.faults.launches, 10)
    ((launched_at, ids),) = fleet.faults.launches()
    assert len(ids) == 20
    # The figure itself is the bench's; here it only must not wait for an alarm.
    assert launched_at - began < 5
    fleet.drains_and_returns_to_zero(40)
    assert fleet.faults.peak() == 20


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_trigger_alone_starts_the_fleet(fleet: Fleet, function: str) -> None:
    fleet.only(function)
    # An alarm tells of a change: from here on there is one.
    until(lambda: fleet.alarm_state("backlog") == "OK", 10)
    before = {name: fleet.invocations(name) for name in FUNCTIONS}
    fleet.send(10)
    fleet.wake()
    until(fleet.faults.launches, 15)
    fleet.drains_and_returns_to_zero(20)
    others = set(FUNCTIONS) - {function}
    # An invocation that was under way when its trigger was switched off may still have ended.
    assert all(fleet.invocations(name) - before[name] <= 1 for name in others)
    assert fleet.faults.peak() == 2


def test_a_thousand_uploads_cost_a_handful_of_invocations(fleet: Fleet) -> None:
    fleet.only("on_wake")
    fleet.faults.break_boots(100)  # a burst is over before the first worker has booted
    before = fleet.invocations("on_wake")
    waker = Waker(lambda: fleet.queue("wake-queue"))
    for _ in range(100):
        fleet.send(10)
        waker.wake()
    waker.close()
    until(lambda: len(fleet.faults.active()) == 20, 10)
    until(lambda: not fleet.under_way(), 10)
    assert 1 <= fleet.invocations("on_wake") - before <= 6
    assert fleet.faults.peak() == 20
