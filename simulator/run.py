"""One run of the model: a workload, a way of scaling, and a world."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import simpy

from simulator.ec2 import Ec2, Machine
from simulator.queue import Queue
from simulator.scalers.base import Scaler, Site
from simulator.workers import Workers
from simulator.workloads import Workload
from simulator.world import World

# A run that has not answered everything so long after the last arrival never will, in seconds.
_GIVE_UP_SECONDS = 7 * 86_400.0
_LOOK_SECONDS = 5.0
# A fleet that always runs is paid for at least so long, however short the workload.
_ALWAYS_ON_SECONDS = 3600.0


@dataclass(frozen=True)
class Outcome:
    """What a run came to. Latencies are seconds from arrival to answer; `finished` is the time of the last answer."""

    workload: str
    scaler: str
    images: int
    p50: float
    p95: float
    worst: float
    finished: float
    # US dollars, and the instance hours that were paid for and in which a worker had no work.
    cost: float
    wasted_hours: float
    launches: int
    most: int


class UnansweredError(RuntimeError):
    """Images were left when nothing happened any more."""


def run(
    workload: Workload, scaler: Scaler, world: World, *, images_per_worker: int, maximum: int = 20, seed: int = 0
) -> Outcome:
    """Play the workload to its last answer, and to the end of the last instance.

    Raises:
        UnansweredError: some images were never answered.
    """
    # Played, it would take hours to say the same.
    if workload.images > world.images_per_second * maximum * (workload.seconds + _GIVE_UP_SECONDS):
        raise UnansweredError(
            f"{workload.name}: {maximum} instances cannot answer {workload.images:,} images within a week of the last"
        )
    random = np.random.default_rng(seed)
    env = simpy.Environment()
    ec2 = Ec2(
        lambda: env.now,
        lambda: -world.worker_start if scaler.always_on else float(random.uniform(*world.boot)),
        start_seconds=world.start,
    )
    ec2.room = world.room
    ec2.is_short = lambda: bool(random.uniform() < world.capacity_errors)
    queue = Queue()
    workers = Workers(env, world, ec2, queue, random)
    site = Site(env, world, ec2, queue, workers, random, images_per_worker, maximum)
    if world.interruptions:
        _interrupt_at_random(site)
    scaler.install(site)
    env.process(_arrivals(site, workload, scaler))
    images, end = workload.images, workload.seconds + _GIVE_UP_SECONDS
    while workers.answers.images < images or (env.now < _ALWAYS_ON_SECONDS if scaler.always_on else bool(ec2.active())):
        if env.now > end:
            raise UnansweredError(f"{scaler.name}, {workload.name}: {workers.answers.images} of {images}")
        env.run(until=env.now + _LOOK_SECONDS)
    workers.bill_the_rest()
    env.run(until=env.now + 1)
    answers = workers.answers
    return Outcome(
        workload=workload.name,
        scaler=scaler.name,
        images=answers.images,
        p50=answers.quantile(0.5),
        p95=answers.quantile(0.95),
        worst=answers.quantile(1),
        finished=answers.last,
        cost=workers.cost,
        wasted_hours=workers.wasted_seconds / 3600,
        launches=len(ec2.machines) + len(ec2.past),
        most=ec2.most,
    )


def _arrivals(site: Site, workload: Workload, scaler: Scaler) -> Generator[simpy.Event, object, None]:
    for at, count in workload.cohorts:
        if at > site.env.now:
            yield site.env.timeout(at - site.env.now)
        site.workers.arrive(count)
        scaler.woken()


def _interrupt_at_random(site: Site) -> None:
    """Each instance is taken back at random, `interruptions` times an hour for which it is on, on average."""
    begin = site.ec2.on_start

    def started(machine: Machine) -> None:
        begin(machine)
        site.env.process(_interruption(site, machine))

    site.ec2.on_start = started


def _interruption(site: Site, machine: Machine) -> Generator[simpy.Event, object, None]:
    changes = len(machine.changes)
    yield site.env.timeout(float(site.random.exponential(3600 / site.world.interruptions)))
    # Unless that run of it is over.
    if len(machine.changes) == changes:
        site.ec2.interrupt(machine)
