"""How long a message waits before its next try, and how long it has waited."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from novaburst.bounds import POISON_RECEIVE_COUNT
from worker_ami.worker.handler import queued_ms, retry_seconds

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def test_the_waits_grow_so_that_minutes_without_s3_do_not_use_up_the_tries() -> None:
    assert [retry_seconds(count) for count in range(1, 7)] == [5, 15, 45, 135, 300, 300]
    assert sum(retry_seconds(count) for count in range(1, POISON_RECEIVE_COUNT)) >= 180


@given(st.integers(1, 10**6))
def test_no_wait_exceeds_what_sqs_allows(count: int) -> None:
    assert 1 <= retry_seconds(count) <= 300


def test_the_time_in_the_queue_is_never_negative_and_needs_no_zone() -> None:
    assert queued_ms(NOON - timedelta(seconds=2), NOON) == 2000
    assert queued_ms((NOON - timedelta(seconds=2)).replace(tzinfo=None), NOON) == 2000
    assert queued_ms(NOON + timedelta(hours=1), NOON) == 0
