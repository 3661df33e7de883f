"""Files that are no store any more, and what is said of them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from web_tier.images import Image, State
from web_tier.integrity import StoreDamagedError, StoreError, examine, is_damage, set_aside
from web_tier.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with some hundred images."""
    path = tmp_path / "store.sqlite3"
    with closing(Store(path)) as store:
        store.add_batch("b", 1.0)
        for number in range(300):
            store.add_image(Image(f"i{number:03}", "b", "cat.jpg" * 10, 1, State.QUEUED, 1.0))
    return path


def overwrite(path: Path, start: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(content)


def test_a_good_file_an_empty_one_and_none_are_fine(path: Path, tmp_path: Path) -> None:
    examine(path)
    examine(tmp_path / "none.sqlite3")
    (tmp_path / "empty.sqlite3").touch()
    examine(tmp_path / "empty.sqlite3")
    assert not (tmp_path / "none.sqlite3").exists()


def test_a_file_in_use_is_fine(path: Path) -> None:
    with closing(Store(path)) as store, store.database.writing():
        examine(path)


@pytest.mark.parametrize("start", [0, 4096, 5 * 4096])
def test_a_damaged_file_is_named_with_the_command_that_makes_it_anew(path: Path, start: int) -> None:
    overwrite(path, start, b"\xff" * 4096)
    with pytest.raises(StoreDamagedError, match="novaburst rebuild") as caught:
        examine(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_was_cut_short_is_damaged(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(StoreDamagedError, match="novaburst rebuild"):
        examine(path)


def test_what_cannot_be_opened_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="who owns the file") as caught:
        examine(tmp_path)
    assert not isinstance(caught.value, StoreDamagedError)


def test_a_full_disk_is_no_damage() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    assert not is_damage(caught.value)
    assert not is_damage(sqlite3.ProgrammingError("closed"))


def test_a_file_that_is_set_aside_takes_its_log_with_it(path: Path) -> None:
    Path(f"{path}-wal").write_bytes(b"log")
    aside = set_aside(path, "now")
    assert sorted(file.name for file in path.parent.iterdir()) == [aside.name, f"{aside.name}-wal"]
    with closing(Store(path)) as store:
        assert store.counts().total == 0
