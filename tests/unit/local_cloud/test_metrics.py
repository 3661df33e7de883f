"""Samples folded into periods."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.metrics import Statistics, fold

samples = st.lists(st.tuples(st.floats(0, 600), st.integers(0, 1000)), min_size=1)


@given(samples)
def test_no_sample_is_lost_or_counted_twice(data: list[tuple[float, int]]) -> None:
    periods = fold([(moment, Statistics.of([value])) for moment, value in data], 60)
    assert sum(period.count for period in periods.values()) == len(data)
    assert sum(period.total for period in periods.values()) == sum(value for _, value in data)
    assert max(period.maximum for period in periods.values()) == max(value for _, value in data)


def test_a_period_has_the_statistics_that_cloudwatch_names() -> None:
    period = fold([(61.0, Statistics.of([4.0])), (119.0, Statistics.of([2.0, 6.0]))], 60)[60.0]
    values = {name: period.value(name) for name in ("Minimum", "Maximum", "Sum", "SampleCount", "Average")}
    assert values == {"Minimum": 2.0, "Maximum": 6.0, "Sum": 12.0, "SampleCount": 3.0, "Average": 4.0}


def test_a_percentile_is_refused() -> None:
    with pytest.raises(ValueError, match="p99"):
        Statistics.of([1.0]).value("p99")
