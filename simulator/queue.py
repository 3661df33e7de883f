"""The request queue: images wait in the order of their arrival, and are in flight while an instance holds them."""

from collections import deque
from dataclasses import dataclass, field

# Images that arrived at the same time: (when, how many).
Cohort = tuple[float, int]

_MINUTE = 60.0
# How many of the last minutes are kept: those that the Lambda asks for, and some.
_MINUTES = 40


@dataclass
class Minute:
    """How many images came in it and were answered, and the most that were visible and in flight."""

    sent: int
    visible: int
    in_flight: int
    deleted: int = 0


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
    # By their number from the start on.
    _minutes: dict[int, Minute] = field(default_factory=lambda: {0: Minute(0, 0, 0)})

    def arrive(self, now: float, count: int) -> None:
        """Images were queued."""
        self.waiting.append((now, count))
        self.visible += count
        self._changed(now)
        self._minutes[int(now // _MINUTE)].sent += count

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
        self._minutes[int(now // _MINUTE)].deleted += count

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

    def minutes(self, now: float) -> dict[int, Minute]:
        """The last minutes by their number, the present one included, in order."""
        latest = max(self._minutes)
        for number in range(max(latest + 1, int(now // _MINUTE) - _MINUTES), int(now // _MINUTE) + 1):
            _, visible, in_flight = self._history[-1]
            self._minutes[number] = Minute(0, visible, in_flight)
        for number in [number for number in self._minutes if number <= now // _MINUTE - _MINUTES]:
            del self._minutes[number]
        return self._minutes

    def _changed(self, now: float) -> None:
        minute = self.minutes(now)[int(now // _MINUTE)]
        minute.visible = max(minute.visible, self.visible)
        minute.in_flight = max(minute.in_flight, self.in_flight)
        self._history.append((now, self.visible, self.in_flight))
        while len(self._history) > 2 and self._history[1][0] < now - self._remembered:
            self._history.popleft()
