"""Metric math on time series."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.metric_math import ExpressionError, evaluate

TIMES = [0.0, 60.0, 120.0]
M1 = {0.0: 1.0, 60.0: 2.0}
M2 = {60.0: 10.0, 120.0: 20.0}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m1", M1),
        ("m1 + m2", {60.0: 12.0}),
        ("FILL(m1, 0) + FILL(m2, 0)", {0.0: 1.0, 60.0: 12.0, 120.0: 20.0}),
        ("FILL(m1, -1)", {0.0: 1.0, 60.0: 2.0, 120.0: -1.0}),
        ("FILL(m1, REPEAT)", {0.0: 1.0, 60.0: 2.0, 120.0: 2.0}),
        ("(m1 - 1) / m1", {0.0: 0.0, 60.0: 0.5}),
        ("-m1 * 2", {0.0: -2.0, 60.0: -4.0}),
        ("m1 / (m1 - 1)", {60.0: 2.0}),
        ("7", dict.fromkeys(TIMES, 7.0)),
    ],
)
def test_an_expression_is_evaluated_where_its_operands_have_data(expression: str, expected: dict[float, float]) -> None:
    assert evaluate(expression, {"m1": M1, "m2": M2}, TIMES) == expected


@pytest.mark.parametrize("expression", ["m1 +", "m3", "METRICS()", "__import__('os')", "m1.real", "FILL(m1, LINEAR)"])
def test_what_is_not_known_is_refused_and_never_run(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(expression, {"m1": M1}, TIMES)


@given(st.dictionaries(st.sampled_from(TIMES), st.floats(-1e6, 1e6)))
def test_filling_never_changes_what_is_there_and_leaves_no_gap(series: dict[float, float]) -> None:
    filled = evaluate("FILL(m, 5)", {"m": series}, TIMES)
    assert filled == {time: series.get(time, 5.0) for time in TIMES}
