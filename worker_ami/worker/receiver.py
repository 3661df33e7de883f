"""Takes messages, only as many as can start soon, until the worker is told to stop or leave, or is idle long enough."""

import logging
import math
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from botocore.exceptions import BotoCoreError, ClientError

from novaburst.polls import Polls
from novaburst.queues import Queue, Received
from worker_ami.worker.held import Held

log = logging.getLogger(__name__)

# Receives may fail this long before the worker ends with an error: a machine that gets no work must not live on.
_FAILING_SECONDS = 120


class ReceiveError(RuntimeError):
    """The request queue gave nothing but errors for too long."""


class Receiver:
    """The loop of each of some threads, which take turns: one while little comes. `clock` gives monotonic seconds.

    `patience` says of a worker that is idle for so many seconds after how many it ends.
    """

    def __init__(
        self,
        queue: Queue,
        held: Held,
        todo: "SimpleQueue[Received | None]",
        stop: threading.Event,
        polls: Polls,
        *,
        patience: Callable[[float], float],
        poll_seconds: int,
        asked_to_stay: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._held = held
        self._todo = todo
        self._stop = stop
        self._polls = polls
        self._patience = patience
        self._poll_seconds = poll_seconds
        self._asked_to_stay = asked_to_stay
        self._clock = clock
        self._leaving = threading.Event()
        self._sent_away = threading.Event()
        self._failing_since: float | None = None

    def run(self) -> None:
        """Receive until `stop` is set, or set it when nothing is held, nothing came, and the last poll was empty.

        Who is sent away receives nothing more, and sets it as soon as nothing is held.

        Raises:
            ReceiveError: every receive failed for two minutes.
        """
        while self._polls.begin(self._stop):
            received = 0
            try:
                received = self._turn()
            finally:
                self._polls.end(received)

    def leave_when_empty(self) -> None:
        """End at the next empty poll with nothing held, instead of waiting to be idle."""
        self._leaving.set()

    def leave(self) -> None:
        """Receive nothing more, and end when what is held is finished, however much waits on the queue."""
        self._sent_away.set()

    def _turn(self) -> int:
        """Receive once, as soon as there is room, or stop; how many messages came."""
        while not self._stop.is_set():
            if self._sent_away.is_set():
                self._end_when_all_is_done()
            elif room := self._held.wait_for_room(timeout=0.5):
                return self._poll(room)
        return 0

    def _end_when_all_is_done(self) -> None:
        if self._held.wait_until_empty(timeout=0.5):
            log.info("sent away: finished")
            self._stop.set()

    def _poll(self, room: int) -> int:
        try:
            messages = self._queue.receive(at_most=room, wait_seconds=self._wait_seconds())
        except (BotoCoreError, ClientError) as error:
            self._held.add([], room)
            self._failed(error)
            return 0
        self._held.add(messages, room)
        self._failing_since = None
        self._polls.succeeded()
        if messages:
            self._take(messages)
        elif self._may_end():
            log.info("idle for %.0f s: finished", self._held.idle_seconds())
            self._stop.set()
        return len(messages)

    def _may_end(self) -> bool:
        if self._leaving.is_set():
            return not self._held.count
        idle = self._held.idle_seconds()
        return idle >= self._patience(idle) and not self._asked_to_stay()

    def _take(self, messages: list[Received]) -> None:
        if self._stop.is_set():
            # They came with the poll that was under way when the stop came.
            self._held.give_back(messages)
            return
        for message in messages:
            self._todo.put(message)

    def _wait_seconds(self) -> int:
        idle = self._held.idle_seconds()
        left = self._patience(idle) - idle
        # One that stays although its time is over asks no more often than before.
        return min(self._poll_seconds, max(1, math.ceil(left))) if left > 0 else self._poll_seconds

    def _failed(self, error: Exception) -> None:
        now = self._clock()
        if self._failing_since is None:
            self._failing_since = now
        if now - self._failing_since >= _FAILING_SECONDS:
            raise ReceiveError(f"{self._queue.name}: nothing but errors for {_FAILING_SECONDS} s") from error
        # With several receivers one pauses for all of them.
        if (seconds := self._polls.failing()) is not None:
            log.warning("receive failed, again in %.1f s: %s", seconds, error)
            self._polls.pause(self._stop, seconds)
