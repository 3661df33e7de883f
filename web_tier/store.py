"""The ledger of batches and images: one SQLite file, shared by all gunicorn workers and the listener.

Each write is one short transaction. WAL without a sync at each commit survives the death of any process; a power cut
may lose the last rows, whose uploads then had no answer yet or whose results the listener brings back.
"""

import json
import queue
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from novaburst.contract import Failure, Result
from novaburst.error_codes import ErrorCode
from web_tier.images import Counts, Image, State

# Connections a process keeps; more threads than that wait their turn, each for milliseconds.
_CONNECTIONS = 4
# How long a write may wait for another process's, in seconds.
_BUSY_SECONDS = 30

_SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (id TEXT PRIMARY KEY, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS images (
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
);
CREATE INDEX IF NOT EXISTS images_of_batch ON images (batch, revision);
CREATE INDEX IF NOT EXISTS images_pending ON images (state, received) WHERE state IN ('receiving', 'queued');
CREATE INDEX IF NOT EXISTS images_answered ON images (answered) WHERE answered IS NOT NULL;
-- One row: the number of the last change. Writers take turns, so numbers are committed in order.
CREATE TABLE IF NOT EXISTS revision (last INTEGER NOT NULL);
INSERT INTO revision SELECT 0 WHERE NOT EXISTS (SELECT * FROM revision);
"""
_SELECT = "SELECT id, batch, name, size, state, received, answered, code, detail, result, revision FROM images "


class Store:
    """Batches and images. Safe to share between threads; open one in each process, after the fork."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        first = self.connect()
        first.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
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
        """Close the idle connections; the store is of no use afterwards."""
        while not self._idle.empty():
            self._idle.get().close()

    def add_batch(self, batch: str, now: float) -> None:
        """Make an empty batch; one that exists stays as it is."""
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO batches VALUES (?, ?)", (batch, now))

    def batch_created(self, batch: str) -> float | None:
        """When a batch was made, or None when there is no such batch."""
        with self._reading() as db:
            row = db.execute("SELECT created FROM batches WHERE id = ?", (batch,)).fetchone()
        return None if row is None else float(row[0])

    def add_image(self, image: Image) -> None:
        """Enter an image of an existing batch, `receiving` or `refused`."""
        failure = image.refusal
        with self._writing() as db:
            db.execute(
                "INSERT INTO images (id, batch, name, size, state, received, answered, code, detail, revision)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT last FROM revision))",
                (
                    *(image.id, image.batch, image.name, image.size, image.state, image.received, image.answered),
                    *((failure.code, failure.detail) if failure else (None, None)),
                ),
            )

    def mark_queued(self, ids: Sequence[str]) -> None:
        """SQS has taken the requests of these images; one answered in the meantime stays answered."""
        with self._writing() as db:
            db.executemany(
                "UPDATE images SET state = 'queued', code = NULL, detail = NULL, answered = NULL, checked = NULL,"
                " checks = 0, revision = (SELECT last FROM revision)"
                " WHERE id = ? AND state IN ('receiving', 'refused')",
                [(image_id,) for image_id in ids],
            )

    def refuse(self, image_id: str, failure: Failure, now: float, *, state: State = State.RECEIVING) -> None:
        """Give up on an image that is still in this pending state; by default, one that was not queued."""
        with self._writing() as db:
            db.execute(
                "UPDATE images SET state = 'refused', code = ?, detail = ?, answered = ?,"
                " revision = (SELECT last FROM revision) WHERE id = ? AND state = ?",
                (failure.code, failure.detail, now, image_id, state),
            )

    def record(self, results: Iterable[Result], now: float) -> int:
        """Enter results, and return how many were news: the second delivery of one changes nothing.

        A result overrules a refusal (SQS took the request and the acknowledgement was lost), and one of an image
        that this store has never seen (it was lost, or made elsewhere) brings its batch back.
        """
        news = 0
        with self._writing() as db:
            for result in results:
                db.execute("INSERT OR IGNORE INTO batches VALUES (?, ?)", (result.batch, now))
                code = result.error.code if result.error else None
                news += db.execute(
                    "INSERT INTO images (id, batch, name, size, state, received, answered, code, result, revision)"
                    " VALUES (?, ?, ?, 0, 'answered', ?, ?, ?, ?, (SELECT last FROM revision))"
                    " ON CONFLICT (id) DO UPDATE SET state = 'answered', answered = excluded.answered,"
                    " code = excluded.code, detail = NULL, result = excluded.result, revision = excluded.revision"
                    " WHERE images.state != 'answered'",
                    (result.id, result.batch, result.name, now, now, code, result.to_json()),
                ).rowcount
        return news

    def image(self, image_id: str) -> Image | None:
        """One image, or None when it is not known here."""
        found = self._images("WHERE id = ?", (image_id,))
        return found[0] if found else None

    def images(self, ids: Iterable[str]) -> dict[str, Image]:
        """Those of the images that are known, by id."""
        rows = self._images("WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(ids)),))
        return {image.id: image for image in rows}

    def images_of(self, batch: str, since: int = 0) -> list[Image]:
        """A batch's images that changed after revision `since`, in the order of their arrival."""
        return self._images("WHERE batch = ? AND revision > ? ORDER BY id", (batch, since))

    def latest(self, limit: int) -> list[Image]:
        """The images answered or refused last, the newest first."""
        return self._images("WHERE answered IS NOT NULL ORDER BY answered DESC LIMIT ?", (limit,))

    def counts(self, batch: str | None = None) -> Counts:
        """Images by outcome, of one batch or of the whole store."""
        with self._reading() as db:
            row = db.execute(
                "SELECT count(*), count(*) FILTER (WHERE answered IS NOT NULL AND code IS NULL), count(code)"
                " FROM images WHERE ?1 IS NULL OR batch = ?1",
                (batch,),
            ).fetchone()
        return Counts(total=row[0], done=row[1], failed=row[2])

    def claim_overdue(self, state: State, now: float, after: float, limit: int) -> list[Image]:
        """Take up to `limit` images that have been in a pending state for `after` seconds, the oldest first.

        An image taken is not given out again until twice as long has passed (at most 64 times as long), to whichever
        process asks.
        """
        with self._writing() as db:
            rows = db.execute(
                "UPDATE images SET checked = ?1, checks = checks + 1 WHERE id IN ("
                " SELECT id FROM images WHERE state = ?2"
                " AND coalesce(checked, received) + ?3 * (1 << min(checks, 6)) <= ?1 ORDER BY received LIMIT ?4)"
                " RETURNING id",
                (now, state, after, limit),
            ).fetchall()
        return sorted(self.images(row[0] for row in rows).values(), key=lambda image: image.id)

    def _images(self, where: str, parameters: Sequence[object]) -> list[Image]:
        with self._reading() as db:
            rows = db.execute(_SELECT + where, parameters).fetchall()
        return [_image(row) for row in rows]

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        connection = self._idle.get()
        try:
            yield connection
        finally:
            self._idle.put(connection)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            # IMMEDIATE: take the write lock at once, so that the busy timeout applies and nothing is read stale.
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.execute("UPDATE revision SET last = last + 1")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


class Changes:
    """Which of a set of images have an answer, asked again only after some process has written to the store."""

    def __init__(self, store: Store) -> None:
        self._connection = store.connect()
        self._seen: int | None = None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def happened(self) -> bool:
        """Whether anything was committed, by any process, since the last call; true at the first."""
        version = int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        changed, self._seen = version != self._seen, version
        return changed

    def answered(self, ids: Iterable[str]) -> set[str]:
        """Those of the images that wait for nothing any more."""
        with closing(
            self._connection.execute(
                "SELECT id FROM images WHERE state IN ('answered', 'refused')"
                " AND id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(ids)),),
            )
        ) as rows:
            return {row[0] for row in rows}


def _image(row: Sequence[Any]) -> Image:
    image_id, batch, name, size, state, received, answered, code, detail, result, revision = row
    return Image(
        id=image_id,
        batch=batch,
        name=name,
        size=size,
        state=State(state),
        received=received,
        answered=answered,
        refusal=Failure(code=ErrorCode(code), detail=detail or "") if state == State.REFUSED else None,
        result=None if result is None else Result.parse(result),
        revision=revision,
    )
