"""Which way of scaling is called better, and the seed's figures from its rule."""

from dataclasses import replace

import pytest

from bench.fleet import SEED_MINUTES
from bench.policies import MAXIMUM, SHARE, WORLD, dominating, judged, whole
from bench.seed import seeds_seconds
from simulator.run import Outcome
from simulator.scalers.catalogue import catalogue
from simulator.workloads import Workload, burst, bursts

ONE = Outcome("any", "ours", 1, p50=1, p95=10, worst=10, finished=10, cost=1, wasted_hours=0, launches=1, most=1)


@pytest.mark.parametrize(
    ("p95", "cost", "better"), [(9, 0.9, True), (9, 1.1, False), (11, 0.9, False), (9.9, 0.9, False)]
)
def test_a_way_is_better_when_it_is_sooner_and_cheaper_by_more_than_chance(
    p95: float, cost: float, better: bool
) -> None:
    other = replace(ONE, scaler="other", p95=p95, cost=cost)
    assert dominating(ONE, [ONE, other]) == ["other"] * better


@pytest.mark.parametrize(
    "workload", [burst(1), burst(3_000), burst(300_000), bursts(5_000, 2, 600)], ids=lambda one: one.name
)
def test_no_other_way_is_better_than_ours_in_both_time_and_cost(workload: Workload) -> None:
    ours = judged(workload, catalogue(WORLD.idle, MAXIMUM), WORLD, SHARE)[0]
    assert ours.better == []
    assert ours.ratio >= 1


@pytest.mark.parametrize("uploads", list(SEED_MINUTES))
def test_the_seeds_rule_in_the_model_gives_its_published_figures(uploads: int) -> None:
    assert seeds_seconds(uploads) == pytest.approx(60 * SEED_MINUTES[uploads], rel=0.06)


def test_whole_instances_are_those_that_each_minute_keeps_busy_rounded_up() -> None:
    a_minute = round(60 * WORLD.images_per_second)
    workload = Workload("three minutes", ((0.0, 1), (59.5, a_minute), (60.0, a_minute), (180.0, 1)))
    assert whole(workload) == pytest.approx((2 + 1 + 1) * WORLD.cost(60))
