"""Stopped instances that stand by: kept, started first, and trimmed when they are no longer wanted."""

from collections.abc import Iterator

import pytest

from tests.fleet.fleet import Fleet, until


@pytest.fixture
def standby(fleet: Fleet) -> Iterator[Fleet]:
    """The fleet, keeping one instance stopped."""
    fleet.configure(NOVABURST_STANDBY="1")
    yield fleet
    fleet.configure(NOVABURST_STANDBY="0")


def test_an_idle_worker_stops_and_is_started_first_by_the_next_burst(standby: Fleet) -> None:
    standby.send(5)
    standby.wake()
    until(lambda: standby.faults.instances("stopped"), 20)
    (resting,) = standby.faults.instances("stopped")
    standby.faults.watch()
    standby.send(10)
    standby.wake()
    until(lambda: len(standby.faults.active()) == 2, 10)
    ((_, launched),) = standby.faults.launches()
    assert sorted(standby.faults.active()) == sorted([resting, *launched])
    standby.drains_and_returns_to_zero(20)
    until(lambda: len(standby.faults.instances("stopping", "stopped")) == 1, 10)
    standby.configure(NOVABURST_STANDBY="0")
    until(lambda: not standby.faults.instances("stopping", "stopped"), 15)
