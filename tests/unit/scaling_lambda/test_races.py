"""Evaluations that overlap, read stale fleets, die half-way or meet a failing EC2, over random histories."""

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from scaling_lambda.apply import Outcome, apply
from scaling_lambda.departure import MINUTE, UTILISATION
from scaling_lambda.evaluate import Report
from scaling_lambda.fleet import LEAVE_TAG, Counts, Minute, Observation
from scaling_lambda.launch import Launcher, Places
from scaling_lambda.observe import Observer
from scaling_lambda.policy import Limits, Policy, decide
from scaling_lambda.reserve import Reserve

IMAGES_PER_WORKER_SECOND = 2
LIMITS = Limits(
    minimum=0,
    maximum=20,
    images_per_worker=5,
    images_per_second=IMAGES_PER_WORKER_SECOND,
    boot_grace=timedelta(seconds=60),
    confirm_after=timedelta(seconds=30),
    idle_confirm_after=timedelta(seconds=30),
    max_age=timedelta(hours=24),
)
PLACES = Places("worker", "fleet")
# From the model's start, half past an hour, until the next turn.
TURN_SECONDS = 23 * 60.0


def observe(ec2: Any, counts: Counts) -> Observation:
    fleet = Observer(None, ec2, "queue", "fleet").instances()  # type: ignore[arg-type]
    return Observation(ec2.moment(), counts, fleet)


def act(ec2: Any, counts: Counts, limits: Limits = LIMITS) -> Any:
    observation = observe(ec2, counts)
    return apply(decide(observation, limits), observation, ec2, Launcher(ec2, PLACES))


@given(
    backlogs=st.lists(st.integers(1, 500), min_size=30, max_size=30),
    lags=st.lists(st.floats(0, 8), min_size=30, max_size=30),
    seconds=st.lists(st.floats(0, 1), min_size=30, max_size=30),
    scatter=st.tuples(st.floats(0, 6), st.randoms(use_true_random=False)),
)
def test_thirty_evaluations_with_stale_reads_never_pass_the_maximum_nor_undo_a_launch(
    new_ec2: Any, backlogs: list[int], lags: list[float], seconds: list[float], scatter: tuple[float, Any]
) -> None:
    ec2 = new_ec2()
    ec2.scatter, ec2.luck = scatter
    for backlog, lag, second in zip(backlogs, lags, seconds, strict=True):
        ec2.lag = lag
        ec2.now += second
        outcome = act(ec2, Counts(backlog, 0, 0))
        assert outcome.terminated == []
        assert outcome.failures == []
    assert 1 <= ec2.most <= 20


@settings(max_examples=50, phases=[Phase.explicit, Phase.generate])
@given(
    before=st.floats(0, 40),
    maximum=st.integers(1, 20),
    looks=st.lists(st.tuples(st.integers(1, 500), st.floats(0, 8), st.floats(0, 3)), min_size=40, max_size=40),
)
def test_the_turn_of_the_tokens_hour_makes_no_launch_twice(
    new_ec2: Any, before: float, maximum: int, looks: list[tuple[int, float, float]]
) -> None:
    ec2 = new_ec2()
    ec2.now = TURN_SECONDS - before
    limits = replace(LIMITS, maximum=maximum)
    for backlog, lag, second in looks:
        ec2.lag = lag
        ec2.now += second
        assert act(ec2, Counts(backlog, 0, 0), limits).terminated == []
        assert len(ec2.active()) <= maximum
    # What was held back comes once the turn is over.
    ec2.lag = 0.0
    ec2.now += 60
    act(ec2, Counts(500, 0, 0), limits)
    assert len(ec2.active()) == maximum


def test_what_the_turn_of_the_hour_holds_back_is_worth_another_look(new_ec2: Any) -> None:
    ec2 = new_ec2()
    ec2.now = TURN_SECONDS + 5
    observation = observe(ec2, Counts(500, 0, 0))
    plan = decide(observation, LIMITS)
    assert (plan.want, plan.launch, plan.held) == (20, 0, 20)
    assert not Report(observation, plan, Outcome()).settled


@given(
    observed=st.lists(st.tuples(st.integers(1, 500), st.floats(0, 5)), min_size=2, max_size=30),
    order=st.randoms(use_true_random=False),
)
def test_plans_made_at_the_same_moment_and_applied_in_any_order_never_pass_the_maximum(
    new_ec2: Any, observed: list[tuple[int, float]], order: random.Random
) -> None:
    ec2 = new_ec2()
    # Some capacity is there already, in part not yet visible to everyone.
    for backlog, wait in ((20, 3), (35, 3)):
        act(ec2, Counts(backlog, 0, 0))
        ec2.now += wait
    plans = []
    for backlog, lag in observed:
        ec2.lag = lag
        observation = observe(ec2, Counts(backlog, 0, 0))
        plans.append((decide(observation, LIMITS), observation))
    order.shuffle(plans)
    for plan, observation in plans:
        apply(plan, observation, ec2, Launcher(ec2, PLACES))
    assert ec2.most <= 20


def test_a_partial_read_of_a_launch_adds_nothing_until_the_launch_is_seen_whole(new_ec2: Any) -> None:
    ec2 = new_ec2()
    act(ec2, Counts(60, 0, 0))
    observation = observe(ec2, Counts(500, 0, 0))
    partial = replace(observation, instances=observation.instances[:5])
    plan = decide(partial, LIMITS)
    assert (plan.want, plan.launch, plan.start) == (20, 0, ())
    assert plan.reason.endswith(
        "5 booting or running, nothing is added, since a launch of moments ago is not seen whole yet"
    )
    assert len(act(ec2, Counts(500, 0, 0)).launched) == 8
    assert len(ec2.active()) == 20


def test_a_launch_seen_without_the_one_before_it_adds_nothing(new_ec2: Any) -> None:
    ec2 = new_ec2()
    act(ec2, Counts(60, 0, 0))
    act(ec2, Counts(70, 0, 0))
    observation = observe(ec2, Counts(500, 0, 0))
    assert decide(replace(observation, instances=observation.instances[12:]), LIMITS).launch == 0
    assert decide(replace(observation, instances=observation.instances[:12]), LIMITS).launch == 8
    # On that view the second launch was made: its token is spent, and with another number it is refused.
    unseen = replace(observation, instances=observation.instances[:12])
    outcome = apply(decide(unseen, LIMITS), unseen, ec2, Launcher(ec2, PLACES))
    assert (outcome.launched, len(outcome.deferred)) == ([], 1)


def test_a_launch_that_got_less_than_it_asked_for_holds_up_the_next_for_seconds_only(new_ec2: Any) -> None:
    ec2 = new_ec2()
    ec2.room = 5
    assert len(act(ec2, Counts(60, 0, 0)).launched) == 5
    ec2.room = 1000
    ec2.now += 14
    assert act(ec2, Counts(60, 0, 0)).launched == []
    ec2.now += 1
    assert len(act(ec2, Counts(60, 0, 0)).launched) == 7


def test_the_start_of_one_that_stands_by_tells_nothing_of_the_fleets_size_today(new_ec2: Any) -> None:
    ec2, limits = new_ec2(), replace(LIMITS, reserve=Reserve(standby=1))
    act(ec2, Counts(60, 0, 0))
    ec2.now += 30
    act(ec2, Counts(0, 1, 0), limits)
    for machine in ec2.active():
        ec2.shut_down(machine)
    # EC2 forgets those that have ended; the one that stands by was the last of twelve.
    ec2.machines = ec2.stopped()
    ec2.now += 4000
    assert len(act(ec2, Counts(1, 0, 0), limits).started) == 1
    ec2.now += 1
    assert len(act(ec2, Counts(60, 0, 0), limits).launched) == 11


def test_a_lambda_that_dies_between_launch_and_return_costs_nothing_but_a_look(new_ec2: Any) -> None:
    ec2 = new_ec2()
    observation = observe(ec2, Counts(100, 0, 0))
    apply(decide(observation, LIMITS), observation, ec2, Launcher(ec2, PLACES))
    # Its answer is lost, and Lambda's own retry decides again, on a read that does not show the launch yet.
    ec2.lag = 5
    assert len(act(ec2, Counts(100, 0, 0)).launched) == 20
    assert len(ec2.active()) == 20


def test_the_same_empty_fleet_twice_within_the_hour_can_still_launch(new_ec2: Any) -> None:
    ec2 = new_ec2()
    for _ in range(3):
        (first,) = act(ec2, Counts(1, 0, 0)).launched
        assert first == ec2.active()[0].id
        ec2.now += 60
        ec2.shut_down(ec2.active()[0])
        # EC2 has forgotten the ended instance sooner than its token.
        ec2.machines.clear()


@given(
    lags=st.lists(st.floats(0, 8), min_size=2, max_size=12),
    seconds=st.lists(st.floats(0, 3), min_size=12, max_size=12),
    workers=st.integers(3, 20),
    needed=st.integers(1, 20),
)
def test_evaluations_side_by_side_on_stale_reads_send_away_the_surplus_and_nobody_more(
    new_ec2: Any, lags: list[float], seconds: list[float], workers: int, needed: int
) -> None:
    ec2 = new_ec2()
    act(ec2, Counts(workers * LIMITS.images_per_worker, 0, 0))
    ec2.now += 600
    sent = int(needed * LIMITS.images_per_second * UTILISATION * 60) - 1
    for lag, second in zip(lags, seconds, strict=False):
        ec2.lag = lag
        ec2.now += second
        present = ec2.moment().replace(second=0, microsecond=0)
        minutes = tuple(Minute(present - ago * MINUTE, sent, 0) for ago in (3, 2, 1))
        observation = replace(observe(ec2, Counts(1, 2, 0)), minutes=minutes)
        apply(decide(observation, LIMITS), observation, ec2, Launcher(ec2, PLACES))
    left = [machine for machine in ec2.machines if machine.tagged(LEAVE_TAG, ec2.now)]
    assert len(ec2.active()) == workers
    assert len(left) == max(0, workers - needed)


@dataclass
class World:
    """Messages and workers around the simulated EC2, one second a step."""

    ec2: Any
    waiting: int = 0
    taken: int = 0
    answered: int = 0
    killed_at_work: int = 0
    idle_since: dict[str, float] | None = None

    def step(self, arrivals: int, *, workers_end_themselves: bool) -> None:
        """One second: messages of the last step are answered, workers that have booted take new ones."""
        self.ec2.now += 1
        self.waiting += arrivals
        self.answered += self.taken
        working = [m for m in self.ec2.active() if m.state(self.ec2.now) == "running"]
        self.taken = min(self.waiting, IMAGES_PER_WORKER_SECOND * len(working))
        self.waiting -= self.taken
        idle = self.idle_since = self.idle_since or {}
        for machine in self.ec2.machines:
            if self.taken or machine not in working:
                idle.pop(machine.id, None)
        for machine in working if not self.taken else []:
            if self.ec2.now - idle.setdefault(machine.id, self.ec2.now) >= 10 and workers_end_themselves:
                self.ec2.shut_down(machine)

    def evaluate(self, limits: Limits) -> Any:
        return act(self.ec2, Counts(self.waiting, self.taken, 0), limits)

    @property
    def drained(self) -> bool:
        return self.waiting == self.taken == 0


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), policy=st.sampled_from(Policy), workers_end_themselves=st.booleans())
def test_every_history_drains_keeps_to_the_maximum_and_returns_to_zero(
    new_ec2: Any, data: st.DataObject, policy: Policy, workers_end_themselves: bool
) -> None:
    world = World(new_ec2())
    limits = replace(LIMITS, policy=policy, maximum=data.draw(st.integers(1, 20), label="maximum"))
    bursts = data.draw(
        st.dictionaries(st.integers(0, 200), st.integers(1, 300), min_size=1, max_size=4), label="bursts"
    )
    every = data.draw(st.integers(1, 60), label="seconds between evaluations")
    world.ec2.lag = data.draw(st.integers(0, 5), label="lag")
    world.ec2.room = data.draw(st.integers(1, 30), label="room")
    broken = data.draw(st.booleans(), label="the first launches never boot")
    standby = data.draw(st.integers(0, 3), label="standby")
    limits = replace(limits, reserve=Reserve(standby=standby))
    for second in range(4000):
        world.ec2.boot_seconds = None if broken and second < 40 else 25
        world.step(bursts.get(second, 0), workers_end_themselves=workers_end_themselves)
        if second % every == 0:
            taken = world.taken
            running = {m.id for m in world.ec2.machines if m.state(world.ec2.now) == "running"}
            ended = world.evaluate(limits).terminated
            assert not (taken and running & set(ended)), "a worker was ended while work was in flight"
        if second > 200 and world.drained and not world.ec2.active() and len(world.ec2.stopped()) <= standby:
            break
    assert world.answered == sum(bursts.values())
    assert world.ec2.active() == []
    assert len(world.ec2.stopped()) <= standby
    assert world.ec2.most <= limits.maximum


def test_a_second_burst_is_served_by_those_that_stand_by_within_seconds_and_they_stand_by_again(new_ec2: Any) -> None:
    world, limits = World(new_ec2()), replace(LIMITS, reserve=Reserve(standby=2))
    waits = []
    for second in range(600):
        world.step(10 if second in {0, 300} else 0, workers_end_themselves=True)
        if world.taken and (not waits or second - waits[-1] > 100):
            waits.append(second)
        world.evaluate(limits)
        if second in {299, 599}:
            assert world.ec2.active() == []
            assert len(world.ec2.stopped()) == 2
    assert waits[0] >= 25
    assert waits[1] - 300 <= 6
    assert len(world.ec2.machines) == 2
    assert world.answered == 20


def test_evaluations_that_overlap_start_those_that_stand_by_once_and_stay_below_the_maximum(new_ec2: Any) -> None:
    world, limits = World(new_ec2()), replace(LIMITS, reserve=Reserve(standby=3))
    for second in range(200):
        world.step(15 if second == 0 else 0, workers_end_themselves=True)
        world.evaluate(limits)
    assert len(world.ec2.stopped()) == 3
    for lag, backlog in ((0, 500), (4, 500), (3, 40), (8, 300), (2, 500), (6, 90)):
        world.ec2.lag = lag
        act(world.ec2, Counts(backlog, 0, 0), limits)
        world.ec2.now += 1
    assert world.ec2.most == 20
    assert world.ec2.stopped() == []


@pytest.mark.parametrize("every", [1, 5, 60])
def test_no_capacity_is_launched_and_ended_within_its_boot_time(new_ec2: Any, every: int) -> None:
    world = World(new_ec2())
    for second in range(900):
        world.step(40 if second % 97 == 0 else 0, workers_end_themselves=True)
        if second % every == 0:
            world.evaluate(LIMITS)
    lives = [machine.ended_at - machine.launched for machine in world.ec2.machines if machine.ended_at is not None]
    assert lives
    assert min(lives) > world.ec2.boot_seconds
