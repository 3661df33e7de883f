"""From zero: one step to what the policy wants, by each trigger alone, and for a handful of invocations."""

import time

from tests.fleet.fleet import Fleet, until
from web_tier.waker import PERIOD_SECONDS, Waker


def test_a_hundred_uploads_from_zero_ask_for_all_twenty_workers_in_one_step_by_a_wake_up_alone(fleet: Fleet) -> None:
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


def test_the_alarm_alone_starts_the_fleet(fleet: Fleet) -> None:
    fleet.only("on_alarm")
    # An alarm tells of a change: from here on there is one.
    until(lambda: fleet.alarm_state("backlog") == "OK", 10)
    others = fleet.invocations("on_wake", "on_schedule")
    fleet.send(10)
    fleet.wake()
    until(fleet.faults.launches, 15)
    assert fleet.invocations("on_wake", "on_schedule") == others
    fleet.drains_and_returns_to_zero(20)
    assert fleet.faults.peak() == 2


def test_a_thousand_uploads_cost_a_handful_of_invocations(fleet: Fleet) -> None:
    fleet.only("on_wake")
    fleet.faults.break_boots(100)  # a burst is over before the first worker has booted
    before = fleet.invocations("on_wake")
    waker = Waker(lambda: fleet.queue("wake-queue"))
    began = time.time()
    for _ in range(100):
        fleet.send(10)
        waker.wake()
    waker.close()
    periods = (time.time() - began) / PERIOD_SECONDS
    until(lambda: len(fleet.faults.active()) == 20, 10)
    until(lambda: not fleet.under_way(), 10)
    assert 1 <= fleet.invocations("on_wake") - before <= periods + 2
    assert fleet.faults.peak() == 20
