"""Images that lie in the bucket already: entered by key or by prefix, and given to the feeder to be queued."""

import json
import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from novaburst.contract import Failure, new_id
from novaburst.error_codes import ErrorCode
from novaburst.objects import Bucket
from web_tier.database import Database
from web_tier.images import NO_MESSAGE, Image, State, message_for
from web_tier.names import display_name

# Keys of one page of a listing.
PAGE = 1000
# A key of that many bytes in a message leaves room for all else; it saves most keys the making of a whole message.
_SURELY_FITS = 512
# Images that share a revision, so that nobody who asks for news gets more than that at once.
_A_REVISION = 500
# A process that took on something and died with it is replaced after this time, in seconds.
_LEASE_SECONDS = 60.0
# Images that are to be queued and that nobody has taken on since the moment ?1, but by a clock that was ahead.
_WAITING = (
    f"state = 'receiving' AND key IS NOT NULL AND (coalesce(checked, 0) <= ?1 OR checked > ?1 + {2 * _LEASE_SECONDS})"
)
_ANY_WAITING = f"SELECT 1 FROM images WHERE {_WAITING} LIMIT 1"  # noqa: S608 # nosec B608 # no input
_TAKE_WAITING = (
    f"UPDATE images SET checked = ?2 WHERE id IN (SELECT id FROM images WHERE {_WAITING} ORDER BY received LIMIT ?3)"  # noqa: S608 # nosec B608 # no input
    " RETURNING id, batch, name, key, received"
)
# An upload's own object: its key, an unguessable id, is its uploader's.
_UPLOADED = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Prefix:
    """A batch that is being filled: what lies under `prefix` and sorts after the key `after` is still to come."""

    batch: str
    prefix: str
    after: str
    received: float


class References:
    """The way into the store for what was not uploaded. Safe to share between threads."""

    def __init__(self, database: Database, in_bucket: Bucket) -> None:
        self._database = database
        self._in_bucket = in_bucket

    def enter_keys(self, batch: str, keys: Iterable[str], now: float, identity: Callable[[int], str] | None) -> None:
        """Make a batch of these keys, all at once; one that exists is complete and stays as it is."""
        identity = identity or (lambda _: new_id())
        self._enter(batch, now, [self._image(identity(n), batch, key, now) for n, key in enumerate(keys)], None)

    def enter_prefix(self, batch: str, prefix: str, now: float) -> bool:
        """Make a batch of what lies under a prefix, of which the first page is entered now; whether there is any.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: the bucket was not listed; there is no such batch.
        """
        keys = self._page(prefix, "")
        if not keys:
            return False
        images = [self._image(new_id(), batch, key, now) for key in keys if _is_image(key)]
        self._enter(batch, now, images, Prefix(batch, prefix, keys[-1], now) if len(keys) == PAGE else None)
        return True

    def list_on(self, now: float) -> bool:
        """Enter the next page of one batch that is being filled; whether there was one.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError, sqlite3.Error: the same page is entered later.
        """
        job = self._claim_prefix(now)
        if job is None:
            return False
        keys = self._page(job.prefix, job.after)
        images = [self._image(new_id(), job.batch, key, job.received) for key in keys if _is_image(key)]
        with self._database.writing() as db:
            if len(keys) < PAGE:
                mine = db.execute("DELETE FROM prefixes WHERE batch = ? AND after = ?", (job.batch, job.after))
            else:
                mine = db.execute(
                    "UPDATE prefixes SET after = ?, checked = 0 WHERE batch = ? AND after = ?",
                    (keys[-1], job.batch, job.after),
                )
            # Nothing, when the batch was deleted meanwhile, or another process has entered this page.
            if mine.rowcount:
                _insert(db.execute, images)
        return True

    def claim(self, now: float, limit: int) -> list[Image]:
        """Take up to `limit` images that are to be queued; they are given out again after a minute if they were not."""
        before = now - _LEASE_SECONDS
        with self._database.reading() as db:
            if not db.execute(_ANY_WAITING, (before,)).fetchone():
                return []
        with self._database.writing() as db:
            rows = db.execute(_TAKE_WAITING, (before, now, limit)).fetchall()
        return [Image(row[0], row[1], row[2], 0, State.RECEIVING, row[4], key=row[3]) for row in sorted(rows)]

    def _enter(self, batch: str, now: float, images: Sequence[Image], rest: Prefix | None) -> None:
        with self._database.writing() as db:
            if not db.execute("INSERT OR IGNORE INTO batches VALUES (?, ?)", (batch, now)).rowcount:
                return
            _insert(db.execute, images)
            if rest is not None:
                about = (rest.batch, rest.prefix, rest.after, rest.received)
                db.execute("INSERT INTO prefixes VALUES (?, ?, ?, ?, 0)", about)

    def _claim_prefix(self, now: float) -> Prefix | None:
        with self._database.reading() as db:
            if not db.execute("SELECT 1 FROM prefixes LIMIT 1").fetchone():
                return None
        with self._database.writing() as db:
            row = db.execute(
                "UPDATE prefixes SET checked = ?1 WHERE batch ="
                " (SELECT batch FROM prefixes WHERE checked <= ?1 - ?2 OR checked > ?1 + ?2 ORDER BY checked LIMIT 1)"
                " RETURNING batch, prefix, after, received",
                (now, _LEASE_SECONDS),
            ).fetchone()
        return None if row is None else Prefix(*row)

    def _page(self, prefix: str, after: str) -> list[str]:
        return list(islice(self._in_bucket.keys(prefix=prefix, after=after), PAGE))

    def _image(self, identity: str, batch: str, key: str, now: float) -> Image:
        image = Image(identity, batch, display_name(key), 0, State.RECEIVING, now, key=key)
        fault = _fault(key)
        refusal = Failure(code=ErrorCode.BAD_KEY, detail=fault) if fault else self._without_message(image, key)
        return image if refusal is None else replace(image, state=State.REFUSED, answered=now, refusal=refusal)

    def _without_message(self, image: Image, key: str) -> Failure | None:
        fits = len(json.dumps(key)) <= _SURELY_FITS or message_for(image, self._in_bucket.name) is not None
        return None if fits else NO_MESSAGE


def _insert(execute: Callable[[str, Sequence[object]], object], images: Sequence[Image]) -> None:
    for number, image in enumerate(images):
        if number and number % _A_REVISION == 0:
            execute("UPDATE revision SET last = last + 1", ())
        failure = image.refusal
        execute(
            "INSERT INTO images (id, batch, name, size, state, received, answered, code, detail, key, revision)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT last FROM revision))",
            (
                *(image.id, image.batch, image.name, image.size, image.state, image.received, image.answered),
                *((failure.code, failure.detail) if failure else (None, None)),
                image.key,
            ),
        )


def _is_image(key: str) -> bool:
    """Whether a listed key may be somebody's image: not a folder's mark, nor an upload."""
    return not key.endswith("/") and not _UPLOADED.fullmatch(key)


def _fault(key: str) -> str | None:
    """Why no object under that key is classified, or None."""
    if not key:
        return "it is empty"
    # As it reads for whoever takes keys for paths: no such reader must come to an upload by it.
    path = posixpath.normpath(key.lstrip("/"))
    if _UPLOADED.fullmatch(path):
        return "it is the key of an upload, which is its uploader's"
    if path == ".." or path.startswith("../"):
        return "it has more '..' than names before them, which S3 allows in no key"
    if len(key.encode()) > 1024:
        return "it is longer than S3 allows"
    return None
