"""Tells the scaling Lambda that there is work, so that it need not wait for its next minute."""

import logging
import threading
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from novaburst.queues import Queue

log = logging.getLogger(__name__)

WAKE_MESSAGE = '{"v":1}'


# A thousand uploads take about thirteen seconds to come in: five wake-ups. The first of a burst waits for nothing, and
# what comes later waits beside a worker that boots for ten times as long (docs/scaling.md).
PERIOD_SECONDS = 3.0


class Waker:
    """Sends wake messages, at most one a period; what happens in between is coalesced into the next.

    Where this trigger is switched off (`wanted`), it sends none: nobody would take them.
    """

    def __init__(
        self, queue: Callable[[], Queue], period_seconds: float = PERIOD_SECONDS, *, wanted: bool = True
    ) -> None:
        self._queue = queue
        self._on = wanted
        self._period_seconds = period_seconds
        self._changed = threading.Condition()
        self._wanted = False
        self._closing = False
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Ask for one evaluation after this moment; returns at once and never fails."""
        if not self._on:
            return
        with self._changed:
            self._wanted = True
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="waker", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    log.warning("the scaling Lambda is not woken now, its schedule will find the work: %s", error)
                    return
                self._thread = thread
            self._changed.notify()

    def close(self) -> None:
        """End the thread, after the wake-up that is still to be sent, if there is one."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while self._asked():
            try:
                self._queue().send([WAKE_MESSAGE])
            except (BotoCoreError, ClientError) as error:
                log.warning("the scaling Lambda was not woken, its schedule will find the work: %s", error)
            except Exception:  # the thread must outlive any fault, since nobody would start another
                log.exception("the scaling Lambda was not woken, its schedule will find the work")
            with self._changed:
                self._changed.wait_for(lambda: self._closing, self._period_seconds)

    def _asked(self) -> bool:
        """Wait to be asked; False once nobody has asked and nobody will."""
        with self._changed:
            self._changed.wait_for(lambda: self._wanted or self._closing)
            asked, self._wanted = self._wanted, False
            return asked
