"""The SQLite file of the web tier: its schema, how an older file comes up to date, and connections to it.

All gunicorn workers and the listener share it. Each write is one short transaction. WAL without a sync at each commit
survives the death of any process; a power cut may lose the last rows, whose uploads then had no answer yet or whose
results the listener brings back.
"""

import queue
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# Connections a process keeps; more threads than that wait their turn, each for milliseconds.
_CONNECTIONS = 4
# How long a write may wait for another process's, in seconds.
_BUSY_SECONDS = 30


def _tally(row: str, number: int) -> str:
    """The statement that counts an image, the trigger's row, in or out."""
    counts = (
        f"total = total + {number}, failed = failed + {number} * ({row}.code IS NOT NULL),"
        f" done = done + {number} * ({row}.answered IS NOT NULL AND {row}.code IS NULL)"
    )
    return f"UPDATE tallies SET {counts} WHERE batch IN ({row}.batch, '');"  # noqa: S608 # nosec B608 # no input


# Each step was the newest schema once; a file's `user_version` counts the steps that it has. Never change one: add one.
_STEPS = (
    (
        "CREATE TABLE IF NOT EXISTS batches (id TEXT PRIMARY KEY, created REAL NOT NULL)",
        """CREATE TABLE IF NOT EXISTS images (
            id TEXT PRIMARY KEY,
            batch TEXT NOT NULL REFERENCES batches (id),
            name TEXT NOT NULL,
            size INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('receiving', 'queued', 'answered', 'refused')),
            received REAL NOT NULL,
            answered REAL,
            -- The error's code, of a refusal or of a result; NULL while pending and for a label.
            code TEXT,
            detail TEXT,
            result TEXT,
            -- When the sweeper last looked after a pending image, and how often.
            checked REAL,
            checks INTEGER NOT NULL DEFAULT 0,
            revision INTEGER NOT NULL
        )""",
        "CREATE INDEX IF NOT EXISTS images_of_batch ON images (batch, revision)",
        "CREATE INDEX IF NOT EXISTS images_pending ON images (state, received) WHERE state IN ('receiving', 'queued')",
        "CREATE INDEX IF NOT EXISTS images_answered ON images (answered) WHERE answered IS NOT NULL",
        # One row: the number of the last change. Writers take turns, so numbers are committed in order.
        "CREATE TABLE IF NOT EXISTS revision (last INTEGER NOT NULL)",
        "INSERT INTO revision SELECT 0 WHERE NOT EXISTS (SELECT * FROM revision)",
        # The last evaluations asked for by hand.
        "CREATE TABLE IF NOT EXISTS evaluations (number INTEGER PRIMARY KEY AUTOINCREMENT, entry TEXT NOT NULL)",
    ),
    (
        # For a download page by page, and for a list of batches page by page.
        "CREATE INDEX images_by_id ON images (batch, id)",
        "CREATE INDEX batches_by_age ON batches (created, id)",
        # A deleted batch stays known for a while, since workers may still answer its images.
        "CREATE TABLE deleted_batches (id TEXT PRIMARY KEY, deleted REAL NOT NULL)",
        # Images whose objects are still to be deleted from the buckets.
        "CREATE TABLE deleted_images (id TEXT PRIMARY KEY)",
    ),
    (
        # The fleet and its queue over time; `entry` is JSON.
        "CREATE TABLE samples (at REAL PRIMARY KEY, entry TEXT NOT NULL)",
        "CREATE TABLE decisions (number INTEGER PRIMARY KEY AUTOINCREMENT, entry TEXT NOT NULL)",
        # One row: when the last sample was begun, by whichever process came first.
        "CREATE TABLE sampling (last REAL NOT NULL)",
        "INSERT INTO sampling VALUES (0)",
    ),
    (
        # Requests with an Idempotency-Key. `alive` is until when nobody else may take one over that has no `images`
        # yet, which are the ids of what it brought, as JSON.
        """CREATE TABLE attempts (
            key TEXT PRIMARY KEY,
            created REAL NOT NULL,
            batch TEXT NOT NULL,
            owner TEXT NOT NULL,
            alive REAL NOT NULL,
            fingerprint TEXT,
            images TEXT
        )""",
        "CREATE INDEX attempts_by_age ON attempts (created)",
    ),
    (
        # Where an image's object lies that was there before: NULL for one that was uploaded, under its id.
        "ALTER TABLE images ADD COLUMN key TEXT",
        # Batches that are still being filled with what lies under a prefix: listed up to the key `after`; `checked` is
        # when a process took on the next page.
        """CREATE TABLE prefixes (
            batch TEXT PRIMARY KEY,
            prefix TEXT NOT NULL,
            after TEXT NOT NULL,
            received REAL NOT NULL,
            checked REAL NOT NULL
        )""",
        # Files that a client may send straight to S3, under these ids, and has not said to be there yet.
        "CREATE TABLE tickets (id TEXT PRIMARY KEY, batch TEXT NOT NULL, name TEXT NOT NULL, expires REAL NOT NULL)",
        "CREATE INDEX tickets_by_age ON tickets (expires)",
    ),
    (
        # What each token has used of its limits: when it will be paid for, in microseconds since the epoch.
        "CREATE TABLE quotas (token TEXT, kind TEXT, until INTEGER NOT NULL, PRIMARY KEY (token, kind)) WITHOUT ROWID",
    ),
    (
        # Images by outcome, of each batch, and of all under the empty id: to count a million rows takes seconds. In a
        # table of its own, so that an earlier release can go on with the file.
        """CREATE TABLE tallies (
            batch TEXT PRIMARY KEY, total INTEGER NOT NULL, done INTEGER NOT NULL, failed INTEGER NOT NULL
        ) WITHOUT ROWID""",
        "INSERT INTO tallies SELECT batches.id, count(images.id),"
        " count(*) FILTER (WHERE answered IS NOT NULL AND code IS NULL), count(code)"
        " FROM batches LEFT JOIN images ON batch = batches.id GROUP BY batches.id",
        "INSERT INTO tallies SELECT '', coalesce(sum(total), 0), coalesce(sum(done), 0), coalesce(sum(failed), 0)"
        " FROM tallies",
        "CREATE TRIGGER batch_entered AFTER INSERT ON batches"
        " BEGIN INSERT INTO tallies VALUES (NEW.id, 0, 0, 0) ON CONFLICT DO NOTHING; END",
        f"CREATE TRIGGER image_entered AFTER INSERT ON images BEGIN {_tally('NEW', +1)} END",
        f"CREATE TRIGGER image_gone AFTER DELETE ON images BEGIN {_tally('OLD', -1)} END",
        "CREATE TRIGGER image_changed AFTER UPDATE OF answered, code ON images"
        " WHEN (OLD.answered IS NULL, OLD.code IS NULL) != (NEW.answered IS NULL, NEW.code IS NULL)"
        f" BEGIN {_tally('OLD', -1)} {_tally('NEW', +1)} END",
        "CREATE TRIGGER batch_gone AFTER DELETE ON batches BEGIN DELETE FROM tallies WHERE batch = OLD.id; END",
        # SQLite uses an index of a part of the rows only for statements with the very words of that part.
        "DROP INDEX images_pending",
        "CREATE INDEX images_to_look_after ON images (state, min(checks, 6), coalesce(checked, received))"
        " WHERE state = 'queued' OR (state = 'receiving' AND key IS NULL)",
        "CREATE INDEX images_to_queue ON images (received) WHERE state = 'receiving' AND key IS NOT NULL",
    ),
    (
        # When SQS last took an image's request: NULL while that is not known, and it counts from `received`.
        "ALTER TABLE images ADD COLUMN queued REAL",
    ),
)


class Database:
    """One file. Safe to share between threads; open one in each process, after the fork."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._clock = clock
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        first = self.connect()
        _bring_up_to_date(first)
        self._idle.put(first)
        for _ in range(_CONNECTIONS - 1):
            self._idle.put(self.connect())

    def connect(self) -> sqlite3.Connection:
        """A connection of the caller's own."""
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def close(self) -> None:
        """Close the idle connections; the database is of no use afterwards."""
        while not self._idle.empty():
            self._idle.get().close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for statements that write nothing."""
        connection = self._idle.get()
        try:
            yield connection
        finally:
            self._idle.put(connection)

    @contextmanager
    def noting(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction that touches no batch: it leaves the number in `revision` as it is."""
        with self.reading() as connection, _transaction(connection):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction, committed at the end, with a new number in `revision`.

        That is the time in microseconds since the epoch, or one more than the last where time has not passed: so it is
        above all that a store gave which was lost, or of which this is an older copy. JavaScript holds it until 2255.
        """
        with self.noting() as connection:
            connection.execute("UPDATE revision SET last = max(last + 1, ?)", (int(self._clock() * 1e6),))
            yield connection


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Take the steps that the file lacks, all or none, while other processes that open it wait.

    Where it lacks none nothing is written, so that a process can start, and answer what it may, while the disk is full.
    """
    if _steps_taken(connection) >= len(_STEPS):
        return
    with _transaction(connection):
        have = _steps_taken(connection)
        for statement in (statement for step in _STEPS[have:] for statement in step):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {max(have, len(_STEPS))}")


def _steps_taken(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    # IMMEDIATE: take the write lock at once, so that the busy timeout applies and nothing is read stale.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
