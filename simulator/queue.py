"""The request queue: images wait in the order of their arrival, and are in flight while an instance holds them."""

from collections import deque
from dataclasses import dataclass, field

# Images that arrived at the same time: (when, how many).
Cohort = tuple[float, int]


@dataclass
class Queue:
    """Counts of images, and their history, so that a read can be stale."""

    waiting: deque[Cohort] = field(default_factory=deque)
    visible: int = 0
    in_flight: int = 0
    # Every change: (when, visible, in flight).
    _history: deque[tuple[float, int, int]] = field(default_factory=lambda: deque([(0.0, 0, 0)]))
    # Reads are at most so old, in seconds.
    _remembered: float = 60.0

    def arrive(self, now: float, count: int) -> None:
        """Images were queued."""
        self.waiting.append((now, count))
        self.visible += count
        self._changed(now)

    def take(self, now: float, most: int) -> list[Cohort]:
        """Up to `most` of those that have waited longest; they are in flight from now on."""
        taken: list[Cohort] = []
        while most > 0 and self.waiting:
            arrived, count = self.waiting.popleft()
            if count > most:
                self.waiting.appendleft((arrived, count - most))
                count = most
            taken.append((arrived, count))
            most -= count
        number = sum(count for _, count in taken)
        self.visible -= number
        self.in_flight += number
        self._changed(now)
        return taken

    def delete(self, now: float, count: int) -> None:
        """So many of those in flight are answered."""
        self.in_flight -= count
        self._changed(now)

    def give_back(self, now: float, cohorts: list[Cohort]) -> None:
        """Images in flight are visible again, before those that came later."""
        for cohort in reversed(cohorts):
            self.waiting.appendleft(cohort)
        number = sum(count for _, count in cohorts)
        self.visible += number
        self.in_flight -= number
        self._changed(now)

    def counts(self, at: float) -> tuple[int, int]:
        """How many were visible and in flight at a moment of the last minute."""
        for moment, visible, in_flight in reversed(self._history):
            if moment <= at:
                return visible, in_flight
        return self._history[0][1:]

    def _changed(self, now: float) -> None:
        self._history.append((now, self.visible, self.in_flight))
        while len(self._history) > 2 and self._history[1][0] < now - self._remembered:
            self._history.popleft()
