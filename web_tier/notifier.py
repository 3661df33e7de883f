"""Wakes requests that wait for results: one thread a process watches the store for all of them."""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import TypeVar

from web_tier.store import Changes, Store

log = logging.getLogger(__name__)

T = TypeVar("T")

# Between two looks at SQLite's data version (a few microseconds each) while anybody waits, in seconds.
_LOOK_SECONDS = 0.02
# After a failure of the store, in seconds.
_BACK_OFF_SECONDS = 1.0


class Waiter:
    """One request's wait for a set of images."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.remaining = set(ids)
        self._all_answered = threading.Event()
        if not self.remaining:
            self._all_answered.set()

    def wait(self, seconds: float) -> bool:
        """Wait until all are answered or `seconds` have passed; whether all are answered."""
        return self._all_answered.wait(seconds)

    def answered(self, ids: Iterable[str]) -> None:
        """Strike images off; the last one ends the wait."""
        self.remaining.difference_update(ids)
        if not self.remaining:
            self._all_answered.set()


class Notifier:
    """The process's one watcher; its thread starts with the first wait, so after any fork."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._waiters: set[Waiter] = set()
        self._bells: set[threading.Event] = set()
        self._newcomers = False
        self._closing = False
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, ids: Iterable[str]) -> Iterator[Waiter]:
        """A waiter for these images; those that are answered already count at once."""
        waiter = Waiter(ids)
        self._join(self._waiters, waiter)
        try:
            yield waiter
        finally:
            with self._changed:
                self._waiters.discard(waiter)

    @contextmanager
    def listening(self) -> Iterator[threading.Event]:
        """An event that is set whenever anything was written to the store, and once at the start."""
        bell = threading.Event()
        bell.set()
        self._join(self._bells, bell)
        try:
            yield bell
        finally:
            with self._changed:
                self._bells.discard(bell)

    def close(self) -> None:
        """End the thread; who still waits waits out its time."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _join(self, those: set[T], one: T) -> None:
        with self._changed:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="notifier", daemon=True)
                thread.start()
                # Only now: one that could not be started must not pass for one that watches.
                self._thread = thread
            those.add(one)
            self._newcomers = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            try:
                with closing(Changes(self._store)) as changes:
                    self._watch(changes)
            except Exception:  # the thread must outlive any fault, since all waiting requests depend on it
                log.exception("the store cannot be watched; waiting requests are delayed")
                with self._changed:
                    # What happened in between is not told as a change.
                    self._newcomers = True
                    if self._changed.wait_for(lambda: self._closing, _BACK_OFF_SECONDS):
                        return
            else:
                return

    def _watch(self, changes: Changes) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiters or self._bells or self._closing)
                if self._closing:
                    return
                look = self._newcomers
                self._newcomers = False
                waiters, bells = tuple(self._waiters), tuple(self._bells)
            if changes.happened() or look:
                for bell in bells:
                    bell.set()
                self._strike_off(changes, waiters)
            time.sleep(_LOOK_SECONDS)

    def _strike_off(self, changes: Changes, waiters: Iterable[Waiter]) -> None:
        by_image: dict[str, list[Waiter]] = defaultdict(list)
        for waiter in waiters:
            for image_id in waiter.remaining:
                by_image[image_id].append(waiter)
        for image_id in changes.answered(by_image):
            for waiter in by_image[image_id]:
                waiter.answered((image_id,))
