import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.percentile import percentile


@given(st.lists(st.floats(0, 1000), min_size=1), st.floats(0, 1))
def test_a_percentile_is_the_smallest_value_that_enough_do_not_exceed(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) <= share * len(values)


def test_the_median_of_an_odd_number_of_values_is_the_middle_one() -> None:
    values = [5.0, 1.0, 3.0]
    assert percentile(values, 0.5) == statistics.median(values)


@pytest.mark.parametrize(("share", "value"), [(0, 1), (0.5, 50), (0.95, 95), (0.99, 99), (1, 100)])
def test_of_a_hundred_values_it_is_the_one_of_that_number(share: float, value: float) -> None:
    assert percentile(range(1, 101), share) == value


def test_of_no_values_it_is_no_number() -> None:
    assert math.isnan(percentile([], 0.5))
