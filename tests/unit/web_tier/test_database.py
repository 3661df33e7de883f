import multiprocessing
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from novaburst.contract import Result
from tests.unit.web_tier.conftest import Clock
from web_tier.database import Database
from web_tier.images import Image, State
from web_tier.store import Store

# The schema of the first version, which kept no count of its steps.
FIRST = """
CREATE TABLE batches (id TEXT PRIMARY KEY, created REAL NOT NULL);
CREATE TABLE images (
    id TEXT PRIMARY KEY,
    batch TEXT NOT NULL REFERENCES batches (id),
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('receiving', 'queued', 'answered', 'refused')),
    received REAL NOT NULL,
    answered REAL,
    code TEXT,
    detail TEXT,
    result TEXT,
    checked REAL,
    checks INTEGER NOT NULL DEFAULT 0,
    revision INTEGER NOT NULL
);
CREATE INDEX images_of_batch ON images (batch, revision);
CREATE INDEX images_pending ON images (state, received) WHERE state IN ('receiving', 'queued');
CREATE INDEX images_answered ON images (answered) WHERE answered IS NOT NULL;
CREATE TABLE revision (last INTEGER NOT NULL);
INSERT INTO revision VALUES (7);
INSERT INTO batches VALUES ('b', 1.0);
INSERT INTO images VALUES ('a', 'b', 'cat.jpg', 9, 'queued', 2.0, NULL, NULL, NULL, NULL, NULL, 0, 7);
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "store.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FIRST)
    return path


def layout(path: Path) -> set[tuple[str, str]]:
    """The names of all tables and indices, and of the columns."""
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
        return set(names) | {
            (table, column[1])
            for kind, table in names
            if kind == "table"
            for column in connection.execute(f"PRAGMA table_info({table})")
        }


def test_a_file_of_the_first_version_is_brought_up_to_date_with_what_it_holds(old: Path, tmp_path: Path) -> None:
    with closing(Store(old)) as store:
        assert store.image("a") == Image("a", "b", "cat.jpg", 9, State.QUEUED, 2.0, revision=7)
        store.record([Result(id="a", batch="b", name="cat.jpg", label="cat", score=1, worker="i-1")], 3.0)
        assert store.image("a").state is State.ANSWERED  # type: ignore[union-attr] # it is there
    Database(tmp_path / "new.sqlite3").close()
    assert layout(old) == layout(tmp_path / "new.sqlite3")


def test_a_file_is_opened_again_as_it_is(old: Path) -> None:
    for _ in range(2):
        with closing(Store(old)) as store:
            assert store.counts().total == 1


def _open(path: Path) -> None:
    Database(path).close()


def test_processes_that_open_an_old_file_at_once_do_not_meet(old: Path) -> None:
    spawning = multiprocessing.get_context("spawn")
    openers = [spawning.Process(target=_open, args=(old,)) for _ in range(3)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join(60)
    assert [opener.exitcode for opener in openers] == [0, 0, 0]


def numbers(database: Database, count: int) -> list[int]:
    """The numbers of that many changes."""
    found = []
    for _ in range(count):
        with database.writing() as db:
            found += db.execute("SELECT last FROM revision").fetchone()
    return found


def test_changes_are_numbered_by_time_and_go_on_rising_while_the_clock_stands_or_goes_back(
    tmp_path: Path, clock: Clock
) -> None:
    began = int(clock.now * 1e6)
    with closing(Database(tmp_path / "store.sqlite3", clock=clock)) as database:
        assert numbers(database, 2) == [began, began + 1]
        clock.now -= 3600
        assert numbers(database, 1) == [began + 2]
        clock.now += 7200
        assert numbers(database, 1) == [began + 3_600_000_000]
    # A number that JavaScript keeps as it is.
    assert began + 3_600_000_000 < 2**53


def test_a_file_whose_changes_were_counted_goes_on_by_time_and_what_is_not_touched_keeps_its_number(
    old: Path, clock: Clock
) -> None:
    with closing(Database(old, clock=clock)) as database:
        assert numbers(database, 1) == [int(clock.now * 1e6)]
        with database.reading() as db:
            assert db.execute("SELECT revision FROM images").fetchall() == [(7,)]


def test_a_file_of_a_newer_version_keeps_its_number(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    Database(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    Database(path).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (99,)


# A process that can write no byte to any file, as on a full disk.
START_ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from web_tier.database import Database
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
with Database(Path(sys.argv[1])).reading() as db:
    print(*db.execute("SELECT id FROM batches").fetchone())
"""


def test_a_process_that_starts_while_the_disk_is_full_can_read_the_store(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    # Another process's, as ever: the first one alone makes the files of the log.
    with closing(Database(path)) as other:
        with other.writing() as db:
            db.execute("INSERT INTO batches VALUES ('b', 1.0)")
        command = [sys.executable, "-c", START_ON_A_FULL_DISK, str(path)]
        started = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (started.returncode, started.stdout) == (0, "b\n"), started.stderr
