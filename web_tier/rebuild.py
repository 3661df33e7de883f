"""Fills the store from the buckets, which hold the truth: what it lacks is entered, what it has stays as it is.

It may be killed and repeated, and may run beside the web tier. What it enters is news to whoever follows a batch, also
with a revision of the store that was lost.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote
from uuid import UUID

from novaburst.contract import Result, result_key
from novaburst.looks import look_at_all
from novaburst.objects import Bucket, Entry
from web_tier.answers import stored_result
from web_tier.images import Image, State
from web_tier.names import display_name
from web_tier.store import Store

log = logging.getLogger(__name__)

# Objects that are looked at together, and become one change for those who ask for news.
_PAGE = 500
_UPLOADED = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_IDENTITY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RESULT_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}" + re.escape(result_key("")))


@dataclass(frozen=True)
class Report:
    """What was found, in images."""

    # Results that the store did not have.
    answered: int = 0
    # Uploads without a result that the store did not know; the sweeper queues them within a minute.
    queued: int = 0
    # Result objects that this version cannot read.
    unreadable: int = 0
    # Uploads without a result whose objects do not say which batch they belong to, as those sent straight to S3.
    unclaimed: int = 0


class Rebuild:
    """One run over both buckets."""

    def __init__(self, store: Store, in_bucket: Bucket, out_bucket: Bucket) -> None:
        self._store = store
        self._in_bucket = in_bucket
        self._out_bucket = out_bucket

    def run(self, say: Callable[[str], None]) -> Report:
        """Enter all results, then all uploads that wait for one; `say` is told how far it is.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError, sqlite3.Error: what was entered stays; run it again.
        """
        answered = unreadable = queued = unclaimed = 0
        for page in _pages(self._out_bucket):
            wanted = self._unanswered([entry for entry in page if _RESULT_KEY.fullmatch(entry.key)])
            found = look_at_all(self._result, wanted)
            unreadable += found.count(None)
            answered += self._answer(
                [(result, entry.modified) for result, entry in zip(found, wanted, strict=True) if result]
            )
            say(f"{answered} results entered, up to {page[-1].key}")
        for page in _pages(self._in_bucket):
            uploads = self._without_row([entry for entry in page if _UPLOADED.fullmatch(entry.key)])
            described = look_at_all(self._in_bucket.metadata, [entry.key for entry in uploads])
            images = [
                waiting_image(entry, metadata)
                for entry, metadata in zip(uploads, described, strict=True)
                # One that is gone by now has expired or was deleted.
                if metadata is not None
            ]
            unclaimed += images.count(None)
            queued += self._enter([image for image in images if image is not None])
            say(f"{queued} images to be queued again, up to {page[-1].key}")
        return Report(answered, queued, unreadable, unclaimed)

    def _unanswered(self, entries: Sequence[Entry]) -> list[Entry]:
        known = self._store.images(map(_image_id, entries))
        done = {image.id for image in known.values() if image.state is State.ANSWERED}
        return [entry for entry in entries if _image_id(entry) not in done]

    def _result(self, entry: Entry) -> Result | None:
        result = stored_result(self._out_bucket, _image_id(entry))
        return result if result and result.id == _image_id(entry) else None

    def _answer(self, results: Sequence[tuple[Result, float]]) -> int:
        """Enter results with the moments at which they were stored; how many were news."""
        images = [answered_image(result, modified) for result, modified in results]
        self._enter(images)
        # S3 counts whole seconds: no answer came before its image.
        moments = [max(modified, image.received) for image, (_, modified) in zip(images, results, strict=True)]
        return sum(self._store.record([result], at) for (result, _), at in zip(results, moments, strict=True))

    def _without_row(self, entries: Sequence[Entry]) -> list[Entry]:
        """The uploads that the store does not know; of those that it does, it learns the size."""
        known = self._store.images(entry.key for entry in entries)
        sizes = [(entry.size, entry.key) for entry in entries if entry.key in known and not known[entry.key].size]
        if sizes:
            with self._store.database.writing() as db:
                db.executemany("UPDATE images SET size = ? WHERE id = ?", sizes)
        return [entry for entry in entries if entry.key not in known]

    def _enter(self, images: Iterable[Image]) -> int:
        """Enter images and their batches, but for those that were deleted; how many were news."""
        news = 0
        with self._store.database.writing() as db:
            for image in images:
                about = (image.id, image.batch, image.name, image.size, image.state, image.received)
                if db.execute(
                    "SELECT 1 FROM deleted_batches WHERE id = ? UNION SELECT 1 FROM deleted_images WHERE id = ?",
                    (image.batch, image.id),
                ).fetchone():
                    continue
                db.execute("INSERT OR IGNORE INTO batches VALUES (?, ?)", (image.batch, image.received))
                news += db.execute(
                    "INSERT OR IGNORE INTO images (id, batch, name, size, state, received, revision)"
                    " VALUES (?, ?, ?, ?, ?, ?, (SELECT last FROM revision))",
                    about,
                ).rowcount
        return news


def answered_image(result: Result, modified: float) -> Image:
    """The image of a result, as it was before; `modified` is when the result was stored."""
    return Image(result.id, result.batch, result.name, 0, State.QUEUED, moment_of(result.id) or modified)


def waiting_image(entry: Entry, metadata: Mapping[str, str]) -> Image | None:
    """The image of an upload without a result, to be queued anew; None when its object names no batch.

    It may be in the queue still, and is classified twice then, to the same end.
    """
    batch = metadata.get("batch", "")
    if not _IDENTITY.fullmatch(batch):
        return None
    name = display_name(unquote(metadata.get("name", "")))
    return Image(entry.key, batch, name, entry.size, State.RECEIVING, moment_of(entry.key) or entry.modified)


def moment_of(image_id: str) -> float | None:
    """When an id was made, in seconds since the epoch, or None when it does not say (only a UUIDv7 does)."""
    try:
        identity = UUID(image_id)
    except ValueError:
        return None
    return (identity.int >> 80) / 1000 if identity.version == 7 else None


def _image_id(entry: Entry) -> str:
    return entry.key.removesuffix(result_key(""))


def _pages(bucket: Bucket) -> Iterator[Sequence[Entry]]:
    entries = bucket.entries()
    while page := list(islice(entries, _PAGE)):
        yield page
