"""What this worker has done since it started, counted as it happens."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from novaburst.contract import Result

STAGES = ("queued", "fetch", "decode", "infer")


@dataclass(frozen=True)
class Totals:
    """Sums at one moment. `ms` holds milliseconds by stage over the images that got a label."""

    images: int = 0
    errors: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    ms: Mapping[str, float] = field(default_factory=lambda: MappingProxyType(dict.fromkeys(STAGES, 0.0)))

    @property
    def labelled(self) -> int:
        """Images that got a label."""
        return self.images - sum(self.errors.values())


class Counts:
    """Shared by all handler threads. `clock` gives seconds since the machine's boot."""

    def __init__(self, clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._images = 0
        self._errors: Counter[str] = Counter()
        self._ms = dict.fromkeys(STAGES, 0.0)
        self._first_result_at: float | None = None

    def add(self, result: Result) -> None:
        """Count an image whose result is stored."""
        with self._lock:
            if self._first_result_at is None:
                self._first_result_at = self._clock()
            self._images += 1
            if result.error:
                self._errors[result.error.code] += 1
                return
            for stage in STAGES:
                self._ms[stage] += getattr(result.ms, stage)

    def totals(self) -> Totals:
        """The sums up to now."""
        with self._lock:
            return Totals(self._images, MappingProxyType(dict(self._errors)), MappingProxyType(dict(self._ms)))

    @property
    def first_result_at(self) -> float | None:
        """Seconds from the machine's boot to the first result; None before there is one."""
        return self._first_result_at
