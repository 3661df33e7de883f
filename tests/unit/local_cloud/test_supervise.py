"""What systemd would do when a worker ends."""

from hypothesis import given
from hypothesis import strategies as st

from local_cloud.supervise import START_LIMIT, START_LIMIT_SECONDS, PowerOff, Supervision


def test_a_worker_that_has_finished_powers_the_machine_off() -> None:
    supervision = Supervision()
    supervision.started(0)
    assert supervision.ended(0, 100) is PowerOff.FINISHED


def test_a_crashed_or_killed_worker_is_started_again_a_second_later() -> None:
    supervision = Supervision()
    supervision.started(0)
    assert supervision.ended(1, 10) == 11
    supervision.started(11)
    assert supervision.ended(-9, 20) == 21


def test_five_starts_in_a_minute_are_the_last() -> None:
    supervision = Supervision()
    for second in range(0, 10, 2):
        supervision.started(second)
        decision = supervision.ended(1, second + 1)
    assert decision is PowerOff.CRASH_LOOP


def test_a_crash_now_and_then_never_powers_off() -> None:
    supervision = Supervision()
    for minute in range(100):
        supervision.started(minute * 60)
        assert supervision.ended(1, minute * 60 + 59) == minute * 60 + 60


@given(st.lists(st.floats(0, 30), max_size=60))
def test_no_minute_sees_more_starts_than_the_limit(lifetimes: list[float]) -> None:
    supervision, now, starts = Supervision(), 0.0, []
    for lifetime in lifetimes:
        starts.append(now)
        supervision.started(now)
        decision = supervision.ended(1, now + lifetime)
        if isinstance(decision, PowerOff):
            break
        now = decision
    for start in starts:
        assert sum(start <= other < start + START_LIMIT_SECONDS for other in starts) <= START_LIMIT
