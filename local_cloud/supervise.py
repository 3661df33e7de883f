"""PURE: what systemd's unit of the worker decides when the worker ends."""

from dataclasses import dataclass, field
from enum import Enum

# The unit's numbers: RestartSec, StartLimitBurst, StartLimitIntervalSec (seconds).
RESTART_SECONDS = 1.0
START_LIMIT = 5
START_LIMIT_SECONDS = 60.0


class PowerOff(Enum):
    """Why the operating system powers itself off."""

    FINISHED = "idle"
    CRASH_LOOP = "crash loop"


@dataclass
class Supervision:
    """One boot of one worker: when it was started, and what follows from its ends."""

    starts: list[float] = field(default_factory=list)

    def started(self, now: float) -> None:
        """The worker was started at `now` (seconds)."""
        self.starts = [start for start in self.starts if start > now - START_LIMIT_SECONDS] + [now]

    def ended(self, exit_status: int, now: float) -> PowerOff | float:
        """What follows: power off, or the moment of the next start.

        Exit status 0 is SuccessAction=poweroff; any other, or a signal (negative), is Restart=on-failure, until the
        start limit is hit, and then StartLimitAction=poweroff.
        """
        if exit_status == 0:
            return PowerOff.FINISHED
        again = now + RESTART_SECONDS
        if sum(start > again - START_LIMIT_SECONDS for start in self.starts) >= START_LIMIT:
            return PowerOff.CRASH_LOOP
        return again
