"""The model: every image is answered, time and cost are what a calculation by hand gives, and the maximum holds."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.ec2 import Ec2, Machine
from simulator.estimate import estimate
from simulator.optimum import least_cost
from simulator.run import run
from simulator.scalers.base import Scaler, Site
from simulator.scalers.catalogue import catalogue
from simulator.scalers.fixed import Fixed
from simulator.scalers.ours import Lambda, limits
from simulator.workers import Workers
from simulator.workloads import Workload, burst, bursts
from simulator.world import World

WORLD = World()
SHARE = 2280
# So eager, the first minute of a stream makes a fleet that is twice as large as the stream needs.
EAGER = SHARE // 2


def ours() -> Lambda:
    return Lambda("ours", limits(idle=WORLD.idle))


def test_one_image_from_zero_waits_for_a_wake_up_a_boot_and_its_own_work() -> None:
    outcome = run(burst(1), ours(), WORLD, images_per_worker=SHARE)
    detection, work = 1.6, 1 / WORLD.images_per_second
    least = detection + WORLD.boot[0] + WORLD.worker_start + work + WORLD.overhead
    assert least <= outcome.worst <= least + WORLD.boot[1] - WORLD.boot[0]
    # One instance: the billed part of its boot, the work and the idle time are less than the minute that is paid for.
    assert outcome.launches == 1
    assert outcome.cost == WORLD.cost(60)
    longer = replace(WORLD, idle=60.0)
    paid = run(burst(1), Lambda("ours", limits(idle=60)), longer, images_per_worker=SHARE).cost
    assert paid == pytest.approx(longer.cost(60 + 9), rel=0.1)


def test_a_fleet_that_is_always_on_takes_the_images_in_turn() -> None:
    outcome = run(burst(11_400, 0), Fixed(10), WORLD, images_per_worker=SHARE)
    assert outcome.finished == pytest.approx(10 + WORLD.overhead, rel=0.05)
    assert outcome.p50 == pytest.approx(5, rel=0.1)
    assert outcome.cost == pytest.approx(10 * WORLD.price, rel=0.02)


@pytest.mark.parametrize("number", range(8))
def test_every_way_answers_everything_within_the_maximum(number: int) -> None:
    workload = Workload("two bursts", (*burst(30_000).cohorts, (900.0, 500)))
    outcome = run(workload, catalogue(WORLD.idle, 20)[number](), WORLD, images_per_worker=SHARE)
    assert outcome.images == 30_500
    assert outcome.most <= 20
    assert 0 < outcome.p50 <= outcome.p95 <= outcome.worst
    assert outcome.cost >= least_cost(workload, WORLD, outcome.worst)


@settings(max_examples=15, deadline=None)
@given(
    cohorts=st.dictionaries(st.integers(0, 600), st.integers(1, 5000), min_size=1, max_size=5),
    seed=st.integers(0, 1000),
    interruptions=st.sampled_from([0.0, 2.0]),
    capacity_errors=st.sampled_from([0.0, 0.5]),
)
def test_ours_answers_everything_whatever_the_cloud_does(
    cohorts: dict[int, int], seed: int, interruptions: float, capacity_errors: float
) -> None:
    workload = Workload("any", tuple((float(at), count) for at, count in sorted(cohorts.items())))
    world = replace(WORLD, interruptions=interruptions, capacity_errors=capacity_errors)
    outcome = run(workload, ours(), world, images_per_worker=200, seed=seed)
    assert outcome.images == workload.images
    assert outcome.most <= 20


def test_each_instance_is_interrupted_as_often_an_hour_as_was_asked_for_however_short_the_burst(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupted = 0
    end = Ec2.interrupt

    def interrupt(ec2: Ec2, machine: Machine) -> None:
        nonlocal interrupted
        interrupted += 1
        end(ec2, machine)

    # The end of a run switches the last ones off by the same call.
    monkeypatch.setattr(Workers, "bill_the_rest", lambda _: None)
    monkeypatch.setattr(Ec2, "interrupt", interrupt)
    world = replace(WORLD, interruptions=6.0, pending=0.0, least_billed=0.0)
    hours = sum(
        run(burst(600_000), ours(), world, images_per_worker=30_000, seed=seed).cost / world.price for seed in range(8)
    )
    assert interrupted == pytest.approx(6 * hours, rel=0.25)


def test_equal_seeds_give_equal_runs() -> None:
    first, again = (run(burst(5000), ours(), WORLD, images_per_worker=100, seed=3) for _ in range(2))
    assert first == again


@pytest.mark.parametrize("scaler", [ours, lambda: Fixed(3)], ids=["ours", "fixed"])
@pytest.mark.parametrize(
    "cohorts",
    [((0.0, 3000),), ((0.0, 50), (200.0, 4000)), tuple((float(at), 60) for at in range(100))],
    ids=["burst", "two bursts", "stream"],
)
def test_batches_make_no_difference_to_images_worked_on_one_by_one(
    scaler: Callable[[], Scaler], cohorts: tuple[tuple[float, int], ...]
) -> None:
    # Boots alike and reads that are never stale, so that both decide the same.
    world = replace(WORLD, read_lag=0.0, boot=(25.0, 25.0))
    exact, batched = (
        run(Workload("any", cohorts), scaler(), replace(world, batch_seconds=seconds), images_per_worker=500)
        for seconds in (0.0, world.batch_seconds)
    )
    for figure in ("p50", "p95", "worst", "finished"):
        assert getattr(batched, figure) == pytest.approx(getattr(exact, figure), abs=1.0)
    assert batched.cost == pytest.approx(exact.cost, rel=0.05)
    assert batched.launches == exact.launches


def test_an_image_that_another_worker_takes_keeps_no_idle_worker_alive() -> None:
    # Twenty for the burst, then an image every four seconds: they end themselves one by one, without the Lambda's net.
    trickle = tuple((float(at), 1) for at in range(45, 1800, 4))
    scaler = Lambda("ours", limits(idle=WORLD.idle, boot_grace=3600))
    workload = Workload("then a trickle", (*burst(20_000).cohorts, *trickle))
    outcome = run(workload, scaler, WORLD, images_per_worker=1000)
    assert outcome.launches == 20
    assert outcome.cost < 0.4 * 20 * WORLD.cost(1800)


def stream(images_per_second: int, seconds: int) -> Workload:
    return Workload("a stream", tuple((float(at), images_per_second) for at in range(seconds)))


def test_a_steady_stream_keeps_what_it_needs_of_the_fleet_that_its_start_launched_and_waits_no_longer() -> None:
    outcome = run(stream(200, 1800), ours(), WORLD, images_per_worker=EAGER)
    assert outcome.launches == outcome.most >= 5
    # Two for all of the time, and the others for a good six minutes of it.
    assert outcome.cost < 2.2 * WORLD.cost(1800) + (outcome.most - 2) * WORLD.cost(500)
    assert outcome.p95 < 1.5


class _Misled(Lambda):
    """Takes workers for twice as quick as they are."""

    def install(self, site: Site) -> None:
        super().install(site)
        self._limits = replace(self._limits, images_per_second=2 * site.world.images_per_second)


def test_a_speed_that_is_set_too_high_makes_no_fleet_flap_for_long() -> None:
    slow = replace(WORLD, images_per_second=WORLD.images_per_second / 2)
    outcome = run(stream(200, 2400), _Misled("misled", limits(idle=WORLD.idle)), slow, images_per_worker=EAGER)
    assert outcome.launches - outcome.most <= 5
    assert outcome.worst < 60


def test_a_worker_that_has_an_image_every_few_seconds_is_not_taken_for_idle() -> None:
    trickle = Workload("a trickle", tuple((float(at), 1) for at in range(0, 3600, 5)))
    outcome = run(trickle, ours(), WORLD, images_per_worker=SHARE)
    assert outcome.launches == 1
    assert outcome.p95 < 1


def test_a_wake_up_that_comes_before_sqs_counts_its_image_costs_no_minute() -> None:
    world = replace(WORLD, read_lag=10.0)
    waits = [run(burst(1), ours(), world, images_per_worker=SHARE, seed=seed).worst for seed in range(20)]
    assert max(waits) < 45


def test_a_burst_that_sqs_counts_late_or_in_part_at_first_has_all_its_workers_a_moment_later() -> None:
    outcomes = [run(burst(10_000), ours(), WORLD, images_per_worker=SHARE, seed=seed) for seed in range(12)]
    assert {outcome.launches for outcome in outcomes} == {5}
    assert max(outcome.p95 for outcome in outcomes) < 46


def test_the_least_cost_is_a_minute_of_one_instance_for_little_and_the_work_for_much() -> None:
    assert least_cost(burst(1), WORLD, 60) == pytest.approx(WORLD.cost(60))
    images = 1_000_000
    work = WORLD.work(images) * WORLD.price / 3600
    assert work <= least_cost(burst(images), WORLD, WORLD.work(images) / 10) <= 1.05 * work


def test_the_least_cost_of_what_comes_far_apart_is_a_minute_each_and_of_what_comes_close_one_run() -> None:
    far, close = (Workload("three", tuple((gap * n, 1) for n in range(3))) for gap in (1000.0, 20.0))
    assert least_cost(far, WORLD, 5) == pytest.approx(3 * WORLD.cost(60))
    # Ready at the end of the first one's time, off as soon as the last is there.
    assert least_cost(close, WORLD, 5) == pytest.approx(WORLD.cost(60))
    assert least_cost(close, WORLD, 0.3) < 1.01 * WORLD.cost(60)


def test_the_least_cost_without_foresight_is_of_more_instances_in_the_time_after_the_boot() -> None:
    images = 20_000
    seen, unseen = (least_cost(burst(images), WORLD, 60, ahead=ahead) for ahead in (True, False))
    assert seen < unseen <= 7 * WORLD.cost(60)


def test_the_least_cost_of_bursts_far_apart_is_that_of_each_unless_they_are_foreseen() -> None:
    one, four = burst(5_000), bursts(5_000, 4, 600)
    assert least_cost(four, WORLD, 36) == pytest.approx(4 * least_cost(one, WORLD, 36))
    assert least_cost(four, WORLD, 36, ahead=True) == pytest.approx(4 * WORLD.cost(60))
    # Sooner than anything boots: instances must be there before.
    assert least_cost(four, WORLD, 20) == least_cost(four, WORLD, 20, ahead=True)


def test_to_keep_instances_for_what_may_come_is_no_cheaper_than_to_start_them_but_for_a_moment() -> None:
    """Two minutes of an instance without work are dearer than the minute of a new one."""
    late = Workload("one, then a burst", (*burst(1).cohorts, (240.0, 60_000)))
    alone = least_cost(burst(60_000), WORLD, 50)
    assert least_cost(late, WORLD, 50) == pytest.approx(WORLD.cost(60) + alone, rel=0.01)


def test_who_comes_within_a_minute_that_is_paid_for_meets_a_worker() -> None:
    workload = Workload("two, 70 s apart", ((0.0, 1), (70.0, 1)))
    outcome = run(workload, ours(), WORLD, images_per_worker=SHARE)
    assert outcome.launches == 1
    # Billed from 16.5 s on, until 30 s after the second.
    assert outcome.cost == pytest.approx(WORLD.cost(70 + 30 - WORLD.pending), rel=0.05)


@given(
    cohorts=st.dictionaries(st.integers(0, 3000), st.integers(1, 20_000), min_size=1, max_size=6),
    within=st.floats(1, 300),
)
def test_what_the_future_tells_makes_nothing_dearer(cohorts: dict[int, int], within: float) -> None:
    workload = Workload("any", tuple((float(at), cohorts[at]) for at in sorted(cohorts)))
    assert least_cost(workload, WORLD, within, ahead=True) <= least_cost(workload, WORLD, within)


def test_a_large_burst_costs_little_more_than_the_least_since_few_stay_when_it_is_over() -> None:
    outcome = run(burst(100_000), ours(), WORLD, images_per_worker=SHARE)

    assert outcome.cost <= 1.10 * least_cost(burst(100_000), WORLD, outcome.p95)


def test_an_estimate_takes_no_more_instances_than_the_time_demands() -> None:
    generous, tight = (estimate(100_000, minutes * 60, WORLD, 20) for minutes in (10, 2))
    assert generous.in_time
    assert tight.in_time
    assert generous.instances < tight.instances
    fewer = estimate(100_000, tight.outcome.finished * 0.9, WORLD, tight.instances)
    assert not fewer.in_time
    assert fewer.instances == tight.instances


@pytest.mark.parametrize(("images", "instances"), [(10, 10), (30, 15), (50, 17), (100, 20)])
def test_an_estimate_names_as_many_instances_as_the_model_ran(images: int, instances: int) -> None:
    found = estimate(images, 1, WORLD, 20)
    assert (found.instances, found.outcome.most) == (instances, instances)
