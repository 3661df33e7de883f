"""Where the Lambda's time comes from, so that a test can let an hour pass in a moment."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The present, and the passing of time."""

    def now(self) -> datetime:
        """The present moment, with its zone."""

    def sleep(self, seconds: float) -> None:
        """Return after that time."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Block for that time."""
        time.sleep(seconds)
