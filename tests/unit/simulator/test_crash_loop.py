"""Workers that power off without an answer: what the Lambda's own code launches in the model, and how it goes on."""

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
import pytest
import simpy

from scaling_lambda import policy
from scaling_lambda.brake import Brake, brake
from scaling_lambda.fleet import Observation
from simulator.ec2 import Ec2, Machine
from simulator.queue import Queue
from simulator.run import run
from simulator.scalers.base import Site
from simulator.scalers.ours import Lambda, limits
from simulator.workers import Workers
from simulator.workloads import Workload
from simulator.world import World

HOUR = 3600.0
IMAGES = 50_000
SHARE = 2280


@dataclass
class Loop:
    """A fleet whose workers end `lives` seconds after their boot, until the AMI is mended."""

    env: simpy.Environment
    ec2: Ec2
    workers: Workers

    @property
    def launched(self) -> int:
        return len(self.ec2.machines) + len(self.ec2.past)


class Crashing(Workers):
    """Its workers power off without having taken anything, as systemd has them do, until a moment."""

    lives = 15.0
    mended = float("inf")

    def _run(self, machine: Machine) -> Generator[simpy.Event, object, None]:
        if self._env.now >= self.mended:
            yield from super()._run(machine)
            return
        began = self._env.now
        try:
            yield self._env.timeout(machine.runs_at(began) - began + self.lives)
        except simpy.Interrupt:
            # The Lambda's net was first.
            pass
        else:
            self._ec2.shut_down(machine)
        self.cost += self._world.cost(self._env.now - began - self._world.pending)


def play(
    hours: float, *, lives: float = 15.0, mended: float = float("inf"), images: int = IMAGES, seed: int = 0
) -> Loop:
    random, env, world = np.random.default_rng(seed), simpy.Environment(), World()
    ec2, queue = Ec2(lambda: env.now, lambda: float(random.uniform(*world.boot))), Queue()
    workers = Crashing(env, world, ec2, queue, random)
    workers.lives, workers.mended = lives, mended
    ours = Lambda("ours", limits(idle=world.idle))
    ours.install(Site(env, world, ec2, queue, workers, random, SHARE, 20))
    workers.arrive(images)
    ours.woken()
    env.run(until=hours * HOUR)
    return Loop(env, ec2, workers)


def test_six_hours_of_a_bad_ami_cost_less_than_one_instance_that_always_runs() -> None:
    loop = play(6)
    assert loop.launched < 400
    assert loop.workers.cost / World().price < 7
    assert loop.workers.answers.images == 0


def test_without_the_brake_they_would_cost_more_than_the_whole_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "brake", lambda _: None)
    loop = play(0.25)
    assert loop.launched > 400
    assert loop.workers.cost / World().price > 0.25 * 20


@pytest.mark.parametrize("lives", [0.0, 90.0, 300.0])
def test_whether_they_end_sooner_or_later_the_tries_stay_few(lives: float) -> None:
    loop = play(1.5, lives=lives)
    assert loop.launched < 300
    # Twenty instances that always run would be thirty.
    assert loop.workers.cost / World().price < 6


def test_a_mended_ami_has_the_whole_fleet_going_within_minutes_and_by_itself() -> None:
    mended = HOUR
    before = play(1).launched
    loop = play(1.25, mended=mended)
    assert loop.workers.answers.images == IMAGES
    assert loop.ec2.most == 20
    assert loop.launched - before <= 21
    assert loop.workers.answers.last - mended < 480


def test_a_single_image_costs_a_bad_ami_as_little() -> None:
    assert play(3, images=1).launched < 80


def test_ec2_may_forget_the_ended_after_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.ec2._REMEMBERED_SECONDS", 900.0)
    assert play(6).launched < 600


def test_bursts_without_an_end_are_never_braked_however_often_their_workers_are_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[Brake | None] = []

    def watched(observation: Observation) -> Brake | None:
        found.append(brake(observation))
        return found[-1]

    monkeypatch.setattr(policy, "brake", watched)
    bursts = Workload("bursts", tuple((240.0 * number, 2000) for number in range(20)))
    world = replace(World(), interruptions=60.0, capacity_errors=0.5)
    outcome = run(bursts, Lambda("ours", limits(idle=world.idle)), world, images_per_worker=SHARE // 2)
    assert outcome.launches > 40
    assert set(found) == {None}
