"""Arrivals: as many images as were asked for, in order of time."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.workloads import TraceError, burst, bursts, diurnal, poisson, trace


@given(images=st.integers(1, 10_000_000), seconds=st.floats(0, 600))
def test_a_burst_has_all_its_images_within_its_upload(images: int, seconds: float) -> None:
    workload = burst(images, seconds)
    assert workload.images == images
    assert 0 <= workload.seconds <= seconds
    assert all(count > 0 for _, count in workload.cohorts)
    assert list(workload.cohorts) == sorted(workload.cohorts)


def test_bursts_come_again_and_again() -> None:
    workload = bursts(10, 3, 100)
    assert workload.images == 30
    assert workload.seconds == pytest.approx(200.5)


def test_random_arrivals_have_their_mean_rate_and_are_equal_for_equal_seeds() -> None:
    first, again = (poisson(5, 2000, np.random.default_rng(7)) for _ in range(2))
    assert first == again
    assert first.images == pytest.approx(10_000, rel=0.05)


def test_a_day_has_most_of_its_images_around_noon() -> None:
    workload = diurnal(50_000, np.random.default_rng(7))
    noon = sum(count for at, count in workload.cohorts if 6 * 3600 <= at < 18 * 3600)
    assert workload.images == pytest.approx(50_000, rel=0.05)
    assert noon > 0.7 * workload.images


def test_a_trace_is_read_in_any_order_and_gathered(tmp_path: Path) -> None:
    path = tmp_path / "monday.csv"
    path.write_text("10.1,2\n0,1\n10.2,3\n")
    workload = trace(path)
    assert (workload.name, workload.cohorts) == ("monday", ((0.0, 1), (10.0, 5)))


@pytest.mark.parametrize("line", ["1", "a,2", "1,b", "-1,2", "1,0", "", "nan,2", "inf,2", "1764380000,2"])
def test_a_line_that_is_no_arrival_is_refused_by_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(f"0,1\n{line}\n" if line else "")
    with pytest.raises(TraceError, match="line 2" if line else "no line"):
        trace(path)
