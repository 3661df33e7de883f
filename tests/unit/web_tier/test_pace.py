from hypothesis import given
from hypothesis import strategies as st

from web_tier.pace import seconds_to_finish


def test_the_time_left_is_what_is_pending_at_the_last_minutes_rate() -> None:
    assert seconds_to_finish(pending=30, in_a_minute=60, in_its_last_quarter=15) == 30.0


def test_while_the_fleet_grows_the_last_seconds_count() -> None:
    assert seconds_to_finish(pending=30, in_a_minute=30, in_its_last_quarter=30) == 15.0


def test_without_an_answer_yet_the_time_is_unknown_and_without_an_image_there_is_none() -> None:
    assert seconds_to_finish(pending=5, in_a_minute=0, in_its_last_quarter=0) is None
    assert seconds_to_finish(pending=0, in_a_minute=0, in_its_last_quarter=0) == 0.0


@given(st.integers(0, 10**6), st.integers(0, 10**5), st.integers(0, 10**5))
def test_more_images_never_take_less_time(pending: int, minute: int, quarter: int) -> None:
    one, more = (seconds_to_finish(count, minute, quarter) for count in (pending, pending + 1))
    assert more is None or one is None or 0 <= one <= more
