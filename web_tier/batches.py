"""The list of batches, and the end of one: its rows at once, its objects soon."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from novaburst.bounds import RETENTION_DAYS
from novaburst.contract import result_key
from novaburst.objects import DELETES_AT_ONCE, Bucket, NotDeletedError
from web_tier.database import Database
from web_tier.images import Counts

# How long a deleted batch is remembered: longer than a request can wait in the queue.
_REMEMBERED_SECONDS = RETENTION_DAYS * 86_400
# No batch is made as late, in seconds since the epoch.
_AFTER_ALL = 1e12


@dataclass(frozen=True)
class Batch:
    """One batch in the list; `created` is in seconds since the epoch."""

    id: str
    created: float
    counts: Counts


class Batches:
    """The batches of the store, as a whole. Safe to share between threads."""

    def __init__(
        self, database: Database, in_bucket: Bucket, out_bucket: Bucket, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._in_bucket = in_bucket
        self._out_bucket = out_bucket
        self._clock = clock

    def list(self, limit: int, before: tuple[float, str] | None = None) -> list[Batch]:
        """Up to `limit` batches, the newest first; those that come after the batch of this age and id."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT id, created, total, done, failed FROM batches JOIN tallies ON batch = id"
                " WHERE (created, id) < (?, ?)"
                " ORDER BY created DESC, id DESC LIMIT ?",
                (*(before or (_AFTER_ALL, "")), limit),
            ).fetchall()
        return [Batch(row[0], row[1], Counts(*row[2:])) for row in rows]

    def delete(self, batch: str) -> bool:
        """Forget a batch and its images; whether there is, or was, such a batch.

        Requests that are queued already do no harm: whatever a worker answers is deleted when it comes.
        """
        with self._database.writing() as db:
            if db.execute("SELECT 1 FROM deleted_batches WHERE id = ?", (batch,)).fetchone():
                return True
            if not db.execute("SELECT 1 FROM batches WHERE id = ?", (batch,)).fetchone():
                return False
            db.execute("INSERT INTO deleted_batches VALUES (?, ?)", (batch, self._clock()))
            db.execute("INSERT OR IGNORE INTO deleted_images SELECT id FROM images WHERE batch = ?", (batch,))
            db.execute("DELETE FROM images WHERE batch = ?", (batch,))
            db.execute("DELETE FROM prefixes WHERE batch = ?", (batch,))
            db.execute("DELETE FROM batches WHERE id = ?", (batch,))
        return True

    def purge(self) -> bool:
        """Delete the objects of up to a thousand deleted images; whether that was all there is.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError, sqlite3.Error: what is left is deleted at the next call.
            novaburst.objects.NotDeletedError: S3 has refused some, which come again behind all others.
        """
        with self._database.reading() as db:
            rows = db.execute("SELECT id FROM deleted_images ORDER BY rowid LIMIT ?", (DELETES_AT_ONCE,)).fetchall()
        ids = [row[0] for row in rows]
        if not ids:
            return True
        # An object that was classified by reference lies under a key of its owner's and is not touched.
        both = (
            _refusal(lambda: self._in_bucket.delete(ids)),
            _refusal(lambda: self._out_bucket.delete([result_key(image_id) for image_id in ids])),
        )
        refused = {key for refusal in both if refusal for key in refusal.keys}
        again = [image_id for image_id in ids if not refused.isdisjoint({image_id, result_key(image_id)})]
        with self._database.writing() as db:
            db.executemany("DELETE FROM deleted_images WHERE id = ?", [(image_id,) for image_id in ids])
            # Behind all others, so that a thousand that stay refused keep nobody else's images here.
            db.executemany("INSERT OR IGNORE INTO deleted_images VALUES (?)", [(image_id,) for image_id in again])
        if refusal := both[0] or both[1]:
            raise refusal
        return len(ids) < DELETES_AT_ONCE

    def forget(self) -> None:
        """Remember no longer those deleted batches whose images no worker can answer any more."""
        before = self._clock() - _REMEMBERED_SECONDS
        with self._database.reading() as db:
            old = db.execute("SELECT 1 FROM deleted_batches WHERE deleted < ? LIMIT 1", (before,)).fetchone()
        if old:
            with self._database.writing() as db:
                db.execute("DELETE FROM deleted_batches WHERE deleted < ?", (before,))


def _refusal(delete: Callable[[], None]) -> NotDeletedError | None:
    """Delete objects; what S3 says to those that it refuses to delete."""
    try:
        delete()
    except NotDeletedError as error:
        return error
    return None
