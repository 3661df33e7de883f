"""Does harm to a running system: ends or freezes a process, or fills its disk."""

import signal
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.e2e.cloud import Cloud
from tests.faults.plan import DISK, Harm

# What writes to the web tier's disk.
_WRITERS = ("gunicorn", "web_tier.listener")


class Killer:
    """Hits one process at a time, or the disk, and counts what it did."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._ends: list[threading.Timer] = []
        self.hits: Counter[str] = Counter()

    def hit(self, harm: Harm) -> None:
        """Do this harm, if there is what it needs."""
        if harm.victim == DISK:
            self._limit_files(0)
            self._end_after(harm.seconds, lambda: self._limit_files(psutil.RLIM_INFINITY))
            self.hits["disk full"] += 1
            return
        found = sorted(self._cloud.running(harm.victim), key=lambda process: process.pid)
        if not found:
            return
        victim = found[int(harm.among * len(found))]
        with suppress(psutil.NoSuchProcess):
            victim.send_signal(signal.SIGKILL if harm.seconds is None else signal.SIGSTOP)
            self._end_after(harm.seconds, lambda: _thaw(victim))
            self.hits[f"{harm.victim} {'killed' if harm.seconds is None else 'frozen'}"] += 1

    def end(self) -> None:
        """Thaw all, and make room."""
        for timer in self._ends:
            timer.cancel()
            timer.function(*timer.args)

    def _limit_files(self, size: int) -> None:
        """Let the web tier write no byte beyond this size of any file, as on a full disk; that needs no rights."""
        for word in _WRITERS:
            for process in self._cloud.running(word):
                with suppress(psutil.NoSuchProcess):
                    process.rlimit(psutil.RLIMIT_FSIZE, (size, psutil.RLIM_INFINITY))

    def _end_after(self, seconds: float | None, end: Callable[[], None]) -> None:
        if seconds is not None:
            timer = threading.Timer(seconds, end)
            timer.start()
            self._ends.append(timer)


def _thaw(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGCONT)
