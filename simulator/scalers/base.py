"""What every way of scaling sees and can do."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import simpy

from scaling_lambda.fleet import Counts
from simulator.ec2 import Ec2
from simulator.queue import Queue
from simulator.workers import Workers
from simulator.world import World


@dataclass(frozen=True)
class Site:
    """The model around a scaler."""

    env: simpy.Environment
    world: World
    ec2: Ec2
    queue: Queue
    workers: Workers
    random: np.random.Generator
    # How many images an instance is meant to have, and how many instances there may be.
    images_per_worker: int
    maximum: int

    def counts(self) -> Counts:
        """The queue's counts as a caller of SQS gets them now: some time old."""
        visible, in_flight = self.queue.counts(self.env.now - self.random.uniform(0, self.world.read_lag))
        return Counts(visible, in_flight, 0)

    @property
    def finished(self) -> bool:
        """Whether nothing is waiting or in flight."""
        return self.queue.visible == self.queue.in_flight == 0


class Scaler(Protocol):
    """A way of scaling."""

    @property
    def name(self) -> str:
        """As the tables have it."""

    @property
    def always_on(self) -> bool:
        """Whether its fleet runs before the first image and after the last, and is paid for all the time."""

    def install(self, site: Site) -> None:
        """Begin to scale this site's fleet."""

    def woken(self) -> None:
        """Images were queued, as the web tier would tell it."""


Process = Generator[simpy.Event, object, None]
