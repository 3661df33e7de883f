"""The messages this worker holds: taken, and neither deleted nor given back; bounded in number and kept hidden.

A message takes room until its result is stored. From then until it is deleted it only waits for SQS, and the next one
can start: with 30 ms a call these waits are longer than the work. As many again may wait so, and no more.

Every call that uses a receipt goes through here. Heartbeats and giving back take turns, so that none can hide a message
again that has just been given back; deletions wait for nobody, since one call of 30 ms for ten messages after
the other would be the bound of a machine with many cores.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from novaburst.bounds import SQS_BATCH
from novaburst.queues import Queue, Received

log = logging.getLogger(__name__)


class Held:
    """Shared by receivers, handlers, finishers and the heartbeat. `clock` gives monotonic seconds."""

    def __init__(
        self, queue: Queue, bound: int, visibility_seconds: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._queue = queue
        self._bound = bound
        # A poll for a few at a time keeps the rest of the room working while it is under way.
        self._worthwhile = min(SQS_BATCH, max(1, bound // 2))
        self._visibility_seconds = visibility_seconds
        self._clock = clock
        # By receipt handle: a message delivered twice is held twice.
        self._held: dict[str, Received] = {}
        # Not to be hidden any more: their receipts have expired, or they are being deleted.
        self._left_alone: set[str] = set()
        # Those whose results are stored.
        self._answered: set[str] = set()
        # Messages that the receives under way may bring.
        self._expected = 0
        self._busy_at = clock()
        self._changed = threading.Condition()
        self._receipts = threading.Lock()

    @property
    def count(self) -> int:
        """How many messages are held."""
        with self._changed:
            return len(self._held)

    def idle_seconds(self) -> float:
        """Seconds since a message was last taken or let go; 0 while any is held."""
        with self._changed:
            return 0.0 if self._held else self._clock() - self._busy_at

    def wait_for_room(self, timeout: float) -> int:
        """How many messages may be taken now, at most ten; 0 when after `timeout` seconds a poll is not worthwhile.

        The room is kept for them until they are added.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._room() >= self._worthwhile, timeout)
            room = min(self._room(), SQS_BATCH) if self._room() >= self._worthwhile else 0
            self._expected += room
            return room

    def wait_until_empty(self, timeout: float) -> bool:
        """Whether nothing is held, now or within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._held, timeout)

    def add(self, messages: Sequence[Received], room: int) -> None:
        """Hold messages that were just received, none perhaps, for which so much room was kept."""
        with self._changed:
            self._expected -= room
            self._held |= {message.receipt_handle: message for message in messages}
            if messages:
                self._busy_at = self._clock()
            self._changed.notify_all()

    def answered(self, message: Received) -> None:
        """Note that the message's result is stored: what is left of it takes no room."""
        with self._changed:
            self._answered.add(message.receipt_handle)
            self._changed.notify_all()

    def extend(self) -> None:
        """Hide all that is held for the visibility time from now; an expired receipt is a warning, and left alone."""
        with self._receipts:
            with self._changed:
                messages = [m for handle, m in self._held.items() if handle not in self._left_alone]
            try:
                refused = self._queue.set_visibility(messages, self._visibility_seconds)
            except (BotoCoreError, ClientError) as error:
                log.warning("heartbeat not delivered, tried again at the next: %s", error)
                return
            with self._changed:
                self._left_alone |= self._held.keys() & {message.receipt_handle for message in refused}

    def delete(self, messages: Sequence[Received]) -> None:
        """Delete messages whose results are stored. What SQS does not delete comes again, and finds its result."""
        with self._changed:
            self._left_alone |= {message.receipt_handle for message in messages}
        try:
            self._queue.delete(messages)
        except (BotoCoreError, ClientError) as error:
            log.warning("%d messages not deleted, they will come again: %s", len(messages), error)
        self._let_go(messages)

    def give_back(self, messages: Sequence[Received], seconds: int = 0) -> None:
        """Let others have messages, after `seconds`. Without an answer from SQS they come again by themselves."""
        with self._receipts:
            try:
                self._queue.set_visibility(messages, seconds)
            except (BotoCoreError, ClientError) as error:
                log.warning("%d messages not given back, they will come again later: %s", len(messages), error)
            self._let_go(messages)

    def give_back_all(self) -> int:
        """Give back whatever is still held; how many that was."""
        with self._changed:
            messages = list(self._held.values())
        self.give_back(messages)
        return len(messages)

    def _room(self) -> int:
        held = len(self._held) + self._expected
        return min(self._bound - (held - len(self._answered)), 2 * self._bound - held)

    def _let_go(self, messages: Sequence[Received]) -> None:
        with self._changed:
            for message in messages:
                self._held.pop(message.receipt_handle, None)
                self._left_alone.discard(message.receipt_handle)
                self._answered.discard(message.receipt_handle)
            self._busy_at = self._clock()
            self._changed.notify_all()
