import threading

import pytest

from tests.unit.web_tier.conftest import Clock
from web_tier.recent import Recent


class Counter:
    """Counts how often it is asked, and fails when told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.fault: Exception | None = None

    def __call__(self) -> int:
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return self.asked


def test_many_who_look_within_the_period_cost_one_call() -> None:
    counter, clock = Counter(), Clock()
    recent = Recent(counter, 2.0, clock=clock)
    assert [recent() for _ in range(50)] == [1] * 50
    clock.now += 2.0
    assert recent() == 2


def test_an_error_is_kept_as_long_so_that_a_broken_aws_does_not_hold_every_thread() -> None:
    counter, clock = Counter(), Clock()
    counter.fault = OSError("unreachable")
    recent = Recent(counter, 2.0, clock=clock)
    for _ in range(3):
        with pytest.raises(OSError, match="unreachable"):
            recent()
    assert counter.asked == 1
    counter.fault = None
    clock.now += 2.0
    assert recent() == 2


def test_after_a_change_it_is_asked_anew() -> None:
    counter = Counter()
    recent = Recent(counter, 3600.0)
    recent()
    recent.forget()
    assert recent() == 2


def test_threads_that_come_at_once_share_one_call() -> None:
    counter = Counter()
    barrier = threading.Barrier(8)
    recent = Recent(counter, 3600.0)
    answers: list[int] = []

    def look() -> None:
        barrier.wait()
        answers.append(recent())

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [1] * 8
