"""This machine's clock against AWS's, read from the Date header of every answer that AWS gives anyway.

SigV4 refuses what was signed more than five minutes off, and the refusal then speaks of signatures, not of clocks.
"""

import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

# Where AWS begins to refuse, and where somebody should look, in seconds.
BOUND_SECONDS = 300.0
WARNING_SECONDS = 60.0


class Skew:
    """The last measurement. Safe to share between threads."""

    def __init__(
        self, *, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._seconds: float | None = None
        # AWS's time less that of the clock which nobody sets.
        self._offset = 0.0

    @property
    def seconds(self) -> float | None:
        """How far this clock is ahead of AWS's (behind it: negative), to a second; None before the first answer."""
        with self._lock:
            return self._seconds

    def surely_right(self) -> bool:
        """Whether this clock says now what AWS's does, near enough; not before the first answer.

        What is deleted for its age is gone for good, so whoever does that asks first.
        """
        with self._lock:
            if self._seconds is None:
                return False
            # It may have been set since the last answer.
            return abs(self._clock() - self._offset - self._monotonic()) <= BOUND_SECONDS

    def watch(self, client: Any) -> None:
        """Measure at each answer that this boto3 client gets, a refusal included."""
        client.meta.events.register("after-call", self._after_call)

    def _after_call(self, http_response: Any, **_: object) -> None:
        given = http_response.headers.get("Date")
        if given is None:
            return
        try:
            theirs = parsedate_to_datetime(given).timestamp()
        except ValueError:
            return
        # The header has whole seconds, cut off: on average half of one has passed since.
        theirs += 0.5
        with self._lock:
            self._seconds = self._clock() - theirs
            self._offset = theirs - self._monotonic()
