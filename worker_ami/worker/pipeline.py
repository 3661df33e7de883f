"""The worker's threads side by side: a receiver and a finisher a core, a handler for each message held, a heartbeat.

Network waits hide behind the CPU's work; the classifier alone bounds that to the cores. The life ends in one of three
ways: idle or sent away (returns), told to stop or too old (returns, after giving back what had not begun), or an
unexpected error (raises).
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from novaburst.polls import Polls
from novaburst.queues import Queue, Received
from worker_ami.worker.finisher import Finisher
from worker_ami.worker.handler import Answered, Handler
from worker_ami.worker.held import Held
from worker_ami.worker.receiver import Receiver
from worker_ami.worker.settings import WorkerSettings

log = logging.getLogger(__name__)

_TICK_SECONDS = 0.5
# Receivers, and finishers: enough for sixteen cores where a call takes 30 ms.
_MOST_CALLERS = 8
# Connections to SQS: of those, of the heartbeat, and of handlers that give messages back.
CONNECTIONS = 2 * _MOST_CALLERS + 16


class StuckError(RuntimeError):
    """An image is being computed for so long that its thread is taken for lost; only a new process can end it."""


@dataclass(frozen=True)
class Queues:
    """The queue of images to classify, and that of results."""

    request: Queue
    response: Queue


class Pipeline:
    """One worker's life. `stop` may be set from outside at any moment, and is set from inside at its own end.

    `longest_seconds` says how long the image that has been computed for longest is being computed, and `patience` of
    one that is idle for so many seconds after how many it ends.
    """

    def __init__(
        self,
        queues: Queues,
        handler: Handler,
        settings: WorkerSettings,
        stop: threading.Event,
        *,
        longest_seconds: Callable[[], float],
        patience: Callable[[float], float],
        asked_to_stay: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._handler = handler
        self._longest_seconds = longest_seconds
        self._stop = stop
        self._todo: SimpleQueue[Received | None] = SimpleQueue()
        self._answers: SimpleQueue[Answered | None] = SimpleQueue()
        self._held = Held(queues.request, settings.held, settings.visibility_seconds)
        # One call brings, tells or deletes ten messages at the most, and takes as long as the way to SQS and back.
        self._callers = min(settings.threads, _MOST_CALLERS)
        polls = Polls(self._callers)
        self._receiver = Receiver(
            queues.request,
            self._held,
            self._todo,
            stop,
            polls,
            patience=patience,
            poll_seconds=settings.poll_seconds,
            asked_to_stay=asked_to_stay,
        )
        self._finisher = Finisher(queues.response, self._held, self._answers, backlog=lambda: polls.many)
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._failures: list[BaseException] = []

    def run(self) -> None:
        """Work until idle or stopped; whatever happens, nothing is held any more at the end.

        Raises:
            StuckError: an image took too long; it was given back with the rest.
            Exception: the first unexpected error of a thread.
        """
        receivers = [self._thread(f"receiver-{n}", self._receiver.run) for n in range(self._callers)]
        handlers = [self._thread(f"handler-{n}", self._handle_all) for n in range(self._settings.held)]
        finishers = [self._thread(f"finisher-{n}", self._finisher.run) for n in range(self._callers)]
        self._thread("heartbeat", self._beat)
        self._stop.wait()
        deadline = time.monotonic() + self._settings.grace_seconds
        self._give_back_what_has_not_begun()
        _join(receivers, deadline)
        for _ in handlers:
            self._todo.put(None)
        _join(handlers, deadline)
        for _ in finishers:
            self._answers.put(None)
        _join(finishers, deadline)
        self._ended.set()
        if left := self._held.give_back_all():
            log.warning("%d messages given back unfinished", left)
        if self._failures:
            raise self._failures[0]

    @property
    def held(self) -> Held:
        """The messages that it holds."""
        return self._held

    def leave_when_empty(self) -> None:
        """End at the next empty poll with nothing held, instead of waiting to be idle."""
        self._receiver.leave_when_empty()

    def leave(self) -> None:
        """Receive nothing more, and end when what is held is finished, however much waits on the queue."""
        self._receiver.leave()

    def _handle_all(self) -> None:
        while (message := self._todo.get()) is not None:
            if self._stop.is_set():
                self._held.give_back([message])
                continue
            outcome = self._handler.handle(message)
            if isinstance(outcome, Answered):
                self._held.answered(message)
                self._answers.put(outcome)
            else:
                self._held.give_back([message], outcome.seconds)

    def _beat(self) -> None:
        beaten_at = time.monotonic()
        while not self._ended.wait(_TICK_SECONDS):
            if not self._stop.is_set():
                self._end_if_stuck()
                self._end_if_old()
            if time.monotonic() - beaten_at >= self._settings.heartbeat_seconds:
                beaten_at = time.monotonic()
                self._held.extend()

    def _end_if_stuck(self) -> None:
        if self._longest_seconds() > self._settings.image_seconds:
            self._failures.append(StuckError(f"an image was computed for more than {self._settings.image_seconds} s"))
            self._stop.set()

    def _end_if_old(self) -> None:
        # From this process's start and not the machine's: a restart is rare, and the Lambda's net counts from launch.
        if time.monotonic() - self._began >= self._settings.max_age_seconds:
            log.warning("%d s old: finished", self._settings.max_age_seconds)
            self._stop.set()

    def _give_back_what_has_not_begun(self) -> None:
        waiting: list[Received] = []
        try:
            while True:
                if (message := self._todo.get_nowait()) is not None:
                    waiting.append(message)
        except Empty:
            self._held.give_back(waiting)

    def _thread(self, name: str, target: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(name=name, target=self._guarded, args=(target,), daemon=True)
        thread.start()
        return thread

    def _guarded(self, target: Callable[[], None]) -> None:
        try:
            target()
        except BaseException as error:
            log.exception("a thread ended unexpectedly")
            self._failures.append(error)
            self._stop.set()


def _join(threads: list[threading.Thread], deadline: float) -> None:
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
