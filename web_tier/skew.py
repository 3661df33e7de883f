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

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds: float | None = None

    @property
    def seconds(self) -> float | None:
        """How far this clock is ahead of AWS's (behind it: negative), to a second; None before the first answer."""
        with self._lock:
            return self._seconds

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
        with self._lock:
            # The header has whole seconds, cut off: on average half of one has passed since.
            self._seconds = self._clock() - theirs - 0.5
