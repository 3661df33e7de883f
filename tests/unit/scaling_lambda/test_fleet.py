"""Marks as tags, and what is worth watching."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_lambda.fleet import Counts, Fault, Instance, Mark, Observation, State

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@given(st.sampled_from(Fault), st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0)))
def test_a_mark_survives_its_tag(fault: Fault, since: datetime) -> None:
    mark = Mark(fault, since)
    assert Mark.parse(str(mark)) == mark


@pytest.mark.parametrize(
    "value", ["", "idle", "idle yesterday", "bored 2026-11-25T12:00:00+00:00", "idle 2026-11-25T12:00:00"]
)
def test_a_mark_that_somebody_else_wrote_is_no_mark(value: str) -> None:
    assert Mark.parse(value) is None
    instance = Instance.from_tags("i-1", State.RUNNING, NOW, {"novaburst:marked": value})
    assert instance.tagged
    assert instance.mark is None


def test_one_whose_leaving_tag_somebody_else_wrote_leaves_all_the_same() -> None:
    instance = Instance.from_tags("i-1", State.RUNNING, NOW, {"novaburst:leave": "please"})
    assert (instance.sent_away, instance.leaving) == (NOW, True)


@pytest.mark.parametrize(
    ("counts", "states", "quiet"),
    [
        (Counts(0, 0, 0), [], True),
        (Counts(0, 0, 0), [State.TERMINATED, State.SHUTTING_DOWN], True),
        # Standby instances would otherwise be watched, and paid for, all day.
        (Counts(0, 0, 0), [State.STOPPED, State.STOPPING], True),
        (Counts(0, 0, 0), [State.PENDING], False),
        (Counts(0, 1, 0), [], False),
        (Counts(0, 0, 1), [State.TERMINATED], False),
    ],
)
def test_there_is_something_to_watch_while_there_is_work_or_an_instance(
    counts: Counts, states: list[State], quiet: bool
) -> None:
    instances = tuple(Instance(f"i-{n}", state, NOW) for n, state in enumerate(states))
    assert Observation(NOW, counts, instances).quiet is quiet
