"""Sends the notices of stored results and then deletes their messages, up to ten in one call of each."""

import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from botocore.exceptions import BotoCoreError, ClientError

from novaburst.bounds import SQS_BATCH
from novaburst.queues import Queue
from worker_ami.worker.handler import Answered
from worker_ami.worker.held import Held

log = logging.getLogger(__name__)

# How long an answer waits for others to share its calls, in a burst and while others are being worked on: long enough
# for ten on one core, since a call costs the CPU of a tenth of an image. Without a backlog, somebody may wait for it.
_LINGER_SECONDS = 0.2


class Finisher:
    """The loop of each of some threads, fed with answers; a None for each ends them.

    One after the other gathers a batch; their calls run side by side. `backlog` says whether more waits on the queue.
    """

    def __init__(
        self,
        response_queue: Queue,
        held: Held,
        answers: "SimpleQueue[Answered | None]",
        *,
        backlog: Callable[[], bool],
    ) -> None:
        self._response_queue = response_queue
        self._held = held
        self._answers = answers
        self._backlog = backlog
        self._gathering = threading.Lock()

    def run(self) -> None:
        """Finish answers until None comes."""
        more = True
        while more:
            with self._gathering:
                batch, more = self._gather()
            if batch:
                self._finish(batch)

    def _gather(self) -> tuple[list[Answered], bool]:
        """Up to ten answers, and whether more may come."""
        first = self._answers.get()
        if first is None:
            return [], False
        batch = [first]
        deadline = time.monotonic() + _LINGER_SECONDS
        while len(batch) < SQS_BATCH:
            others = self._backlog() and self._held.count > len(batch)
            try:
                answer = self._answers.get(timeout=max(0.0, deadline - time.monotonic()) if others else 0)
            except Empty:
                break
            if answer is None:
                return batch, False
            batch.append(answer)
        return batch, True

    def _finish(self, batch: list[Answered]) -> None:
        try:
            unsent = self._response_queue.send([answer.notice for answer in batch])
        except (BotoCoreError, ClientError) as error:
            log.warning("%d notices not sent, their results are stored: %s", len(batch), error)
        else:
            if unsent:
                log.warning("%d notices not taken by SQS, their results are stored", len(unsent))
        self._held.delete([answer.received for answer in batch])
