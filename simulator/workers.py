"""The workers: one process of the model for each run of an instance, from its boot to its end.

Images are worked on in batches, not one by one, so that ten million of them are few events; tests/unit/simulator shows
that it makes no difference to waits and cost.
"""

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
import simpy

from novaburst.idle import patience
from scaling_lambda.fleet import LEAVE_TAG
from simulator.ec2 import Ec2, Machine
from simulator.queue import Cohort, Queue
from simulator.world import World


@dataclass
class Answers:
    """Images by how long they waited for their answer, from their arrival, in seconds."""

    latencies: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    last: float = 0.0
    # All that were answered.
    images: int = 0

    def add(self, cohorts: list[Cohort], began: float, seconds: float, overhead: float) -> None:
        """Images of these cohorts were worked on in turn, evenly over `seconds` from `began` on."""
        total, done = sum(count for _, count in cohorts), 0
        for arrived, count in cohorts:
            done += count
            # The middle one of the cohort stands for all of it.
            answered = began + seconds * (done - count / 2) / total + overhead
            self.latencies.append(answered - arrived)
            self.counts.append(count)
        self.images += total
        self.last = max(self.last, began + seconds + overhead)

    def quantile(self, share: float) -> float:
        """The latency that this share of the images did not exceed."""
        if not self.counts:
            return 0.0
        order = np.argsort(self.latencies)
        reached = np.cumsum(np.asarray(self.counts)[order])
        at = int(np.searchsorted(reached, share * reached[-1]))
        return float(np.asarray(self.latencies)[order][min(at, len(order) - 1)])


class Workers:
    """Runs a worker on each instance that is switched on, and accounts for its time."""

    def __init__(
        self, env: simpy.Environment, world: World, ec2: Ec2, queue: Queue, random: np.random.Generator
    ) -> None:
        self.answers = Answers()
        # US dollars for all runs that have ended, and the seconds of them in which a worker had nothing to do.
        self.cost = 0.0
        self.wasted_seconds = 0.0
        # Whether idle workers end themselves; a fleet that only its scaler ends keeps them.
        self.end_themselves = True
        self._env = env
        self._world = world
        self._ec2 = ec2
        self._queue = queue
        self._random = random
        # One event for each worker that polls an empty queue, and how many images each may have that was told of some.
        self._polling: list[simpy.Event] = []
        self._share = 0
        self._running: dict[str, simpy.Process] = {}
        ec2.on_start = self._start
        ec2.on_end = self._end

    def arrive(self, count: int) -> None:
        """Images were queued: those who poll get them."""
        self._queue.arrive(self._env.now, count)
        self._tell()

    def bill_the_rest(self) -> None:
        """Switch off what still runs."""
        for machine in self._ec2.active():
            self._ec2.interrupt(machine)

    def _tell(self) -> None:
        """SQS spreads what comes over those who poll, each image to one of them; who that is, is chance."""
        told = min(len(self._polling), self._queue.visible)
        if told:
            self._share = -(-self._queue.visible // told)
            for index in sorted(self._random.choice(len(self._polling), told, replace=False), reverse=True):
                self._polling.pop(int(index)).succeed()

    def _start(self, machine: Machine) -> None:
        self._running[machine.id] = self._env.process(self._run(machine))

    def _end(self, machine: Machine) -> None:
        process = self._running.pop(machine.id, None)
        if process is not None and process.is_alive and process is not self._env.active_process:
            process.interrupt()

    def _run(self, machine: Machine) -> Generator[simpy.Event, object, None]:
        switched_on = self._env.now
        first = len(machine.changes) == 1
        unbilled = min(self._world.pending, max(0.0, machine.boot_seconds)) if first else 0.0
        worked = 0.0
        most = self._batch
        try:
            runs_at = machine.runs_at(self._env.now)
            if runs_at == float("inf"):
                yield self._env.event()
            yield self._env.timeout(runs_at - self._env.now + self._world.worker_start)
            while most:
                worked += yield from self._work(most)
                # One that is idle when it is sent away sees it with its next image, unless it ends before.
                if machine.tagged(LEAVE_TAG, self._env.now - self._world.notices):
                    break
                paid_ahead = switched_on + unbilled + self._world.least_billed - self._env.now
                most = yield from self._poll(patience(self._world.idle, machine.place, paid_ahead))
        except simpy.Interrupt:
            pass
        else:
            self._ec2.shut_down(machine)
        billed = max(0.0, self._env.now - switched_on - unbilled)
        if billed > 0:
            self.cost += self._world.cost(billed)
            self.wasted_seconds += billed - worked

    @property
    def _batch(self) -> int:
        return max(1, int(self._world.batch_seconds * self._world.images_per_second))

    def _poll(self, seconds: float) -> Generator[simpy.Event, object, int]:
        """How many images may be taken; 0 when none came for so many seconds."""
        idle_since = self._env.now
        while self._queue.visible == 0:
            came = self._env.event()
            self._polling.append(came)
            try:
                if not self.end_themselves:
                    yield came
                else:
                    yield came | self._env.timeout(idle_since + seconds - self._env.now)
            finally:
                if not came.triggered:
                    self._polling.remove(came)
            if not came.triggered:
                return 0
            # One that was busy a moment ago may have been quicker.
            if self._queue.visible:
                return min(self._batch, self._share)
        return self._batch

    def _work(self, most: int) -> Generator[simpy.Event, object, float]:
        """Answer up to so many that wait, and give the seconds of it."""
        began, taken = self._env.now, self._queue.take(self._env.now, most)
        number = sum(count for _, count in taken)
        if not number:
            return 0.0
        seconds = self._world.work(number)
        try:
            yield self._env.timeout(seconds)
        except simpy.Interrupt:
            # On a notice it gives back what it holds; if it was killed, SQS gives it out again later.
            self._env.process(self._returned(taken))
            raise
        self._env.process(self._stored(number))
        self.answers.add(taken, began, seconds, self._world.overhead)
        return seconds

    def _stored(self, number: int) -> Generator[simpy.Event, None, None]:
        yield self._env.timeout(self._world.storing)
        self._queue.delete(self._env.now, number)

    def _returned(self, cohorts: list[Cohort]) -> Generator[simpy.Event, None, None]:
        yield self._env.timeout(self._world.visibility)
        self._queue.give_back(self._env.now, cohorts)
        self._tell()
