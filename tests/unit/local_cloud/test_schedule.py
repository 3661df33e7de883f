"""When scheduled rules fire."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.backends import ScheduledRule
from local_cloud.schedule import ScheduleError, Timetable, period_seconds, scheduled_event

MINUTELY = ScheduledRule("arn:aws:events:us-east-1:1:rule/r", "rate(1 minute)", (("arn:f", None),))


@pytest.mark.parametrize(
    ("expression", "seconds"), [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 hours)", 7200)]
)
def test_a_rate_is_a_period(expression: str, seconds: int) -> None:
    assert period_seconds(expression) == seconds


@pytest.mark.parametrize("expression", ["cron(0 12 * * ? *)", "rate(0 minutes)", "rate(1 week)", "rate(x minutes)"])
def test_any_other_expression_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError):
        period_seconds(expression)


def test_a_new_rule_fires_first_one_period_after_it_was_made() -> None:
    timetable = Timetable()
    assert timetable.due([MINUTELY], 0) == []
    assert timetable.due([MINUTELY], 59.9) == []
    assert timetable.due([MINUTELY], 60) == [MINUTELY]
    assert timetable.due([MINUTELY], 61) == []
    assert timetable.due([MINUTELY], 120) == [MINUTELY]


def test_a_rule_that_was_disabled_begins_anew() -> None:
    timetable = Timetable()
    timetable.due([MINUTELY], 0)
    timetable.due([], 30)
    assert timetable.due([MINUTELY], 60) == []
    assert timetable.due([MINUTELY], 120) == [MINUTELY]


def test_firings_missed_while_the_machine_slept_are_not_made_up_for() -> None:
    timetable = Timetable()
    timetable.due([MINUTELY], 0)
    assert timetable.due([MINUTELY], 10_000) == [MINUTELY]
    assert timetable.due([MINUTELY], 10_001) == []


@given(st.lists(st.floats(0.1, 200), max_size=50))
def test_a_rule_never_fires_more_often_than_its_rate(steps: list[float]) -> None:
    timetable, now, fired = Timetable(), 0.0, 0
    timetable.due([MINUTELY], now)
    for step in steps:
        now += step
        fired += len(timetable.due([MINUTELY], now))
    assert fired <= now / 60


def test_a_rule_with_an_unknown_schedule_does_not_keep_others_from_firing() -> None:
    timetable = Timetable()
    cron = ScheduledRule("arn:aws:events:us-east-1:1:rule/c", "cron(0 12 * * ? *)", ())
    timetable.due([cron, MINUTELY], 0)
    assert timetable.due([cron, MINUTELY], 60) == [MINUTELY]


def test_the_event_is_the_one_of_eventbridge() -> None:
    event = scheduled_event("arn:aws:events:eu-west-1:123456789012:rule/r", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert event.pop("id")
    assert event == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-01-02T03:04:05Z",
        "region": "eu-west-1",
        "resources": ["arn:aws:events:eu-west-1:123456789012:rule/r"],
        "detail": {},
    }
