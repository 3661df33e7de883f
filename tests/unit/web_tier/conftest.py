"""A store's file, and time that passes when a test says so."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from web_tier.database import Database


class Clock:
    """Seconds since the epoch, as `time.time` gives them."""

    def __init__(self) -> None:
        self.now = 1.8e9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def threadless() -> Callable[..., AbstractContextManager[None]]:
    """A time in which no thread can be started `after` so many, as for a process at the system's limit."""

    @contextmanager
    def threadless(after: int = 0) -> Iterator[None]:
        started: list[threading.Thread] = []
        start = threading.Thread.start

        def limited(thread: threading.Thread) -> None:
            if len(started) == after:
                raise RuntimeError("can't start new thread")
            started.append(thread)
            start(thread)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threading.Thread, "start", limited)
            yield

    return threadless


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "store.sqlite3")) as database:
        yield database
