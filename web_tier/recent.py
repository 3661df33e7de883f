"""An answer that is kept for a moment, so that many who look cost AWS no more than one."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

# Nobody sees a difference, and EC2's request quota, which the scaling Lambda shares, is safe from many readers.
KEPT_SECONDS = 2.0


class Recent(Generic[T]):
    """A call's answer or error, at most `seconds` old. Safe to share between threads: one asks, the others wait."""

    def __init__(
        self,
        ask: Callable[[], T],
        seconds: float = KEPT_SECONDS,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._until = float("-inf")
        self._error: Exception | None = None
        self._answer: T

    def __call__(self) -> T:
        """The answer. Raises what the call has raised."""
        with self._lock:
            if self._clock() >= self._until:
                self._error = None
                try:
                    self._answer = self._ask()
                except Exception as error:  # kept, and raised to everyone who asks meanwhile
                    self._error = error
                self._until = self._clock() + self._seconds
            if self._error is not None:
                raise self._error.with_traceback(None)
            return self._answer

    def forget(self) -> None:
        """Ask anew at the next call."""
        with self._lock:
            self._until = float("-inf")
