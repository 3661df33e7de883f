"""What of a submission the web tier has taken already, kept in a file so that it can be continued after any end.

A file is known by its path, size and time of change. Before a request is sent, its files and its Idempotency-Key are
written down: when the answer is lost, the same request is sent again, and the web tier gives the same answer again
instead of taking the files twice.
"""

import errno
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from novaburst.client.files import File

_SCHEMA = """
CREATE TABLE IF NOT EXISTS submission (batch TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    -- The Idempotency-Key of the request that carries it, and its place there; NULL for one that could not be read.
    request TEXT,
    position INTEGER,
    -- The web tier's id for it, once it has answered.
    image TEXT,
    -- Why it was refused, or could not be read.
    code TEXT,
    detail TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS files_underway ON files (request, position) WHERE request IS NOT NULL AND image IS NULL;
CREATE INDEX IF NOT EXISTS files_image ON files (image);
"""


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

# A path as SQLite takes it: text, or the bytes of one that is no UTF-8, which SQLite sorts after every text.
_Key = str | bytes


class JournalError(RuntimeError):
    """The journal cannot be used; the text says why."""


@dataclass(frozen=True)
class Entry:
    """A file that did not reach the web tier, or only its limits, and why."""

    path: Path
    code: str
    detail: str


class Journal:
    """The journal of one submission. Safe to share between threads; one process at a time can have it open.

    Every method raises `JournalError` when the file cannot be read or written, as on a full disk: what was entered
    until then stays.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Open the file, or without one a journal that ends with this process.

        Raises:
            JournalError: another process has it open, or it cannot be written.
        """
        self._path = path
        self._lock = threading.Lock()
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            # An empty name is SQLite's for a temporary file that nobody else sees.
            self._db = sqlite3.connect(path or "", timeout=0, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(f"BEGIN EXCLUSIVE; {_SCHEMA} COMMIT;")
        except (OSError, sqlite3.Error) as error:
            if "locked" in str(error):
                raise JournalError(f"the same files are being submitted by another process now ({path})") from error
            raise self._failure(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; it stays where it is."""
        self._db.close()

    def delete(self) -> None:
        """Close the file and remove it: the submission is over."""
        self.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    @property
    def batch(self) -> str | None:
        """The batch that the submission goes into, if it has begun."""
        row = self._one("SELECT batch FROM submission")
        return None if row is None else str(row[0])

    def begin(self, batch: str) -> None:
        """Start anew, into this batch."""
        with self._writing():
            self._db.execute("DELETE FROM files")
            self._db.execute("DELETE FROM submission")
            self._db.execute("INSERT INTO submission VALUES (?)", (batch,))

    def has(self, file: File) -> bool:
        """Whether the web tier has answered for this very file, or a request with it is under way."""
        row = self._one(
            "SELECT 1 FROM files WHERE path = ? AND size = ? AND changed = ? AND request IS NOT NULL",
            (_key(file.path), file.size, file.changed),
        )
        return row is not None

    def underway(self) -> Iterator[tuple[str, list[File]]]:
        """The requests without an answer: their keys and their files, in order."""
        keys = self._all("SELECT DISTINCT request FROM files WHERE request IS NOT NULL AND image IS NULL")
        for request in [str(row[0]) for row in keys]:
            rows = self._all(
                "SELECT path, size, changed FROM files WHERE request = ? AND image IS NULL ORDER BY position",
                (request,),
            )
            yield request, [File(_path(key), size, changed) for key, size, changed in rows]

    def sending(self, request: str, files: Sequence[File]) -> None:
        """A request is about to be sent."""
        rows = [(_key(file.path), file.size, file.changed, request, position) for position, file in enumerate(files)]
        # A folder that could not be listed in an earlier run is no failure once its files go.
        folders = {folder for file in files for folder in file.path.absolute().parents}
        with self._writing():
            self._db.executemany(
                "DELETE FROM files WHERE path = ? AND request IS NULL", [(_key(folder),) for folder in folders]
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO files (path, size, changed, request, position) VALUES (?, ?, ?, ?, ?)", rows
            )

    def forget(self, request: str) -> None:
        """A request has taken nothing: its files are to be sent in another."""
        with self._writing():
            self._db.execute("DELETE FROM files WHERE request = ? AND image IS NULL", (request,))

    def answered(self, answers: Iterable[tuple[File, str, tuple[str, str] | None]]) -> None:
        """The web tier has taken each file as this image, or refused it: code and words. All at once or not at all."""
        rows = [(image, *(refusal or (None, None)), _key(file.path)) for file, image, refusal in answers]
        with self._writing():
            self._db.executemany("UPDATE files SET image = ?, code = ?, detail = ? WHERE path = ?", rows)

    def unreadable(self, path: Path, code: str, detail: str) -> None:
        """The file was not sent; the next run tries it again."""
        with self._writing():
            self._db.execute(
                "INSERT OR REPLACE INTO files (path, size, changed, code, detail) VALUES (?, 0, 0, ?, ?)",
                (_key(path), code, detail),
            )

    def path_of(self, image: str) -> Path | None:
        """The file that became this image."""
        row = self._one("SELECT path FROM files WHERE image = ?", (image,))
        return None if row is None else _path(row[0])

    def settled(self) -> int:
        """How many files the web tier has answered for, taken or refused."""
        row = self._one("SELECT count(image) FROM files")
        assert row is not None  # noqa: S101 - an aggregate always has its row
        return int(row[0])

    def counts(self) -> tuple[int, int]:
        """How many files the web tier has taken, and how many will get no answer."""
        row = self._one("SELECT count(image) FILTER (WHERE code IS NULL), count(code) FROM files")
        assert row is not None  # noqa: S101 - an aggregate always has its row
        return int(row[0]), int(row[1])

    def unsent(self) -> Iterator[Entry]:
        """The files that the web tier has no image of: unreadable ones above all, in the order of their paths."""
        after: _Key = ""
        while True:
            rows = self._all(
                "SELECT path, code, detail FROM files WHERE code IS NOT NULL AND image IS NULL AND path > ?"
                " ORDER BY path LIMIT 500",
                (after,),
            )
            if not rows:
                return
            yield from (Entry(_path(key), code, detail or "") for key, code, detail in rows)
            after = rows[-1][0]

    def _one(self, query: str, parameters: Iterable[object] = ()) -> tuple[Any, ...] | None:
        return next(iter(self._all(query, parameters)), None)

    def _all(self, query: str, parameters: Iterable[object] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._db.execute(query, tuple(parameters)).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with self._lock, self._db:
                self._db.execute("BEGIN")
                yield
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError | sqlite3.Error) -> JournalError:
        if isinstance(error, OSError):
            full = error.errno in _FULL
        else:
            # A disk's quota is an I/O error to SQLite; the low byte is the kind of an error.
            full = getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
        then = "; the same command goes on once there is room" if full and self._path is not None else ""
        where = self._path or "a temporary file"
        return JournalError(f"the journal of the submission, {where}, cannot be used: {error}{then}")


def _key(path: Path) -> _Key:
    text = str(path.absolute())
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


def _path(key: _Key) -> Path:
    return Path(os.fsdecode(key))
