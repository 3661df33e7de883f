"""A store's file, and time that passes when a test says so."""

from collections.abc import Iterator
from contextlib import closing
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
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "store.sqlite3")) as database:
        yield database
