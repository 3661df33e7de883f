"""The alarm rules, against the user guide's tables of missing data: 0 is fine, X breaches, - is a gap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.alarm_evaluation import AlarmState, Definition, Query, judge, watched_series
from local_cloud.metric_math import ExpressionError
from local_cloud.metrics import MetricId

_RETAINED = None
OK, ALARM, NO_DATA = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA
_VALUES = {"0": 0.0, "X": 9.0, "-": None}


def _definition(wanted: int = 3, needed: int = 3, missing_data: str = "missing", **changes: object) -> Definition:
    fields: dict[str, object] = {
        "name": "deep",
        "comparison": "GreaterThanThreshold",
        "threshold": 1.0,
        "evaluation_periods": wanted,
        "datapoints_to_alarm": needed,
        "missing_data": missing_data,
        "queries": (),
    }
    return Definition(**(fields | changes))  # type: ignore[arg-type] # each test names the fields it changes


def _points(row: str) -> list[float | None]:
    return [_VALUES[mark] for mark in row.split()]


_USER_GUIDE = [
    # row, M of 3, then the state for: missing, ignore, breaching, notBreaching
    ("0 - X - X", 3, OK, OK, OK, OK),
    ("0 - - - -", 3, OK, OK, OK, OK),
    ("- - - - -", 3, NO_DATA, _RETAINED, ALARM, OK),
    ("0 X X - X", 3, ALARM, ALARM, ALARM, ALARM),
    ("- - X - -", 3, ALARM, _RETAINED, ALARM, OK),
    ("0 - X - X", 2, ALARM, ALARM, ALARM, ALARM),
    ("0 0 X 0 X", 2, ALARM, ALARM, ALARM, ALARM),
    ("0 - X - -", 2, OK, OK, ALARM, OK),
    ("- - - - 0", 2, OK, OK, ALARM, OK),
    ("- - - X -", 2, ALARM, _RETAINED, ALARM, OK),
]


@pytest.mark.parametrize("present", list(AlarmState))
@pytest.mark.parametrize("row", _USER_GUIDE, ids=lambda row: f"{row[0]}, {row[1]} of 3")
def test_every_row_of_the_user_guide_gives_its_state(
    row: tuple[str, int, AlarmState, AlarmState | None, AlarmState, AlarmState], present: AlarmState
) -> None:
    points, needed, *states = row
    for missing_data, state in zip(("missing", "ignore", "breaching", "notBreaching"), states, strict=True):
        verdict = judge(_definition(3, needed, missing_data), _points(points), present)
        assert verdict.state is (present if state is _RETAINED else state), missing_data


@pytest.mark.parametrize("row", ["- - - - X", "- - - X -"])
def test_a_breach_younger_than_the_datapoints_to_alarm_waits_for_the_next_datapoint(row: str) -> None:
    assert judge(_definition(), _points(row), OK).state is OK


@pytest.mark.parametrize(
    ("comparison", "value", "state"),
    [
        ("GreaterThanOrEqualToThreshold", 1, ALARM),
        ("GreaterThanThreshold", 1, OK),
        ("LessThanThreshold", 1, OK),
        ("LessThanOrEqualToThreshold", 1, ALARM),
    ],
)
def test_the_threshold_itself_breaches_only_where_the_comparison_says_so(
    comparison: str, value: float, state: AlarmState
) -> None:
    assert judge(_definition(1, 1, comparison=comparison), [None, None, value], OK).state is state


@given(st.lists(st.floats(-10, 10), min_size=5, max_size=5), st.integers(1, 3), st.sampled_from(list(AlarmState)))
def test_without_gaps_the_latest_periods_alone_decide_whatever_the_treatment(
    points: list[float], needed: int, present: AlarmState
) -> None:
    expected = ALARM if sum(value > 1 for value in points[-3:]) >= needed else OK
    for missing_data in ("missing", "ignore", "breaching", "notBreaching"):
        assert judge(_definition(3, needed, missing_data), points, present).state is expected


def _query(name: str, metric: str | None = None, expression: str | None = None, *, returned: bool = False) -> Query:
    identity = None if metric is None else MetricId("AWS/SQS", metric, (("QueueName", "q"),))
    return Query(name, returned, metric=identity, period_seconds=60, statistic="Maximum", expression=expression)


def test_visible_plus_in_flight_is_added_period_by_period() -> None:
    queries = (
        _query("v", "Visible"),
        _query("n", "NotVisible"),
        _query("backlog", expression="v + FILL(n, 0)", returned=True),
    )
    metrics = {"v": {0.0: 1.0, 60.0: 2.0, 120.0: 3.0}, "n": {0.0: 10.0, 120.0: 30.0}}
    series = watched_series(_definition(queries=queries), metrics, [0.0, 60.0, 120.0])
    assert series == {0.0: 11.0, 60.0: 2.0, 120.0: 33.0}


def test_expressions_may_use_one_another_in_any_order() -> None:
    queries = (
        _query("twice", expression="sum2 * 2", returned=True),
        _query("sum2", expression="v + 1"),
        _query("v", "V"),
    )
    assert watched_series(_definition(queries=queries), {"v": {0.0: 4.0}}, [0.0]) == {0.0: 10.0}


def test_an_expression_over_an_unknown_id_is_refused_not_endless() -> None:
    queries = (_query("e", expression="nobody + 1", returned=True),)
    with pytest.raises(ExpressionError, match="nobody"):
        watched_series(_definition(queries=queries), {}, [0.0])


def test_an_alarm_with_two_returned_queries_is_refused() -> None:
    queries = (_query("a", "A", returned=True), _query("b", "B", returned=True))
    with pytest.raises(ExpressionError, match="must be one"):
        watched_series(_definition(queries=queries), {"a": {}, "b": {}}, [0.0])
