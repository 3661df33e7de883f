"""Uploads straight to S3: a client gets a form for each file, sends the files, and says which ones are there."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from novaburst.bounds import PRESIGNED_SECONDS
from novaburst.contract import new_id
from novaburst.objects import Bucket
from web_tier.database import Database
from web_tier.images import Image, State, request_for
from web_tier.names import display_name
from web_tier.sender import Sender
from web_tier.store import Store

# How long after the end of a form its upload may still be said to be there, in seconds.
_GRACE_SECONDS = 3600
_LOOKS = 8


@dataclass(frozen=True)
class Form:
    """What one file is to be sent with: a POST to `url` with these fields and then the file, as `file`."""

    id: str
    name: str
    url: str
    fields: dict[str, str]


@dataclass(frozen=True)
class Completed:
    """What became of files that were said to be there.

    `images` holds each image, or None for what is not there or was not expected; `new_bytes` are those of the images
    that this made, not of those that were known before.
    """

    images: list[Image | None]
    new_bytes: int


class Tickets:
    """Files that are expected in the in-bucket. Safe to share between threads."""

    def __init__(
        self,
        store: Store,
        in_bucket: Bucket,
        sender: Sender,
        max_bytes: int,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._database = store.database
        self._in_bucket = in_bucket
        self._sender = sender
        self._max_bytes = max_bytes
        self._clock = clock
        self._looks = ThreadPoolExecutor(_LOOKS, thread_name_prefix="look")

    def close(self) -> None:
        """End the threads."""
        self._looks.shutdown()

    def issue(self, batch: str, files: Sequence[tuple[str, str]]) -> list[Form]:
        """A form for each file, given by its name and its media type."""
        expires = self._clock() + PRESIGNED_SECONDS
        forms = []
        for name, content_type in files:
            identity = new_id()
            url, fields = self._in_bucket.presigned_post(
                identity, max_bytes=self._max_bytes, content_type=content_type, seconds=PRESIGNED_SECONDS
            )
            forms.append(Form(identity, display_name(name), url, fields))
        with self._database.writing() as db:
            rows = [(form.id, batch, form.name, expires) for form in forms]
            db.executemany("INSERT INTO tickets VALUES (?, ?, ?, ?)", rows)
        return forms

    def complete(self, batch: str, ids: Sequence[str]) -> Completed:
        """Queue those of the files that are there.

        To say so again is harmless: an image that is there is as it is.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: S3 was not asked; what was found is queued all the same.
        """
        looked = self._looks.map(lambda image_id: self._enter(batch, image_id), dict.fromkeys(ids))
        entered = [image for image in looked if image]
        sent: list[Future[bool]] = [self._sender.submit(request_for(image, self._in_bucket.name)) for image in entered]
        for future in sent:
            # What SQS does not take now is queued by the sweeper: its object is there.
            future.result()
        known = self._store.images(ids)
        mine = {image_id: image for image_id, image in known.items() if image.batch == batch}
        return Completed(
            images=[mine.get(image_id) for image_id in ids],
            new_bytes=sum(image.size for image in entered if image.id in mine),
        )

    def _enter(self, batch: str, image_id: str) -> Image | None:
        """Make an image of a ticket whose object is there; None for any other."""
        with self._database.reading() as db:
            row = db.execute("SELECT name FROM tickets WHERE id = ? AND batch = ?", (image_id, batch)).fetchone()
        size = None if row is None else self._in_bucket.size(image_id)
        if size is None:
            return None
        image = Image(image_id, batch, row[0], size, State.RECEIVING, self._clock())
        with self._database.writing() as db:
            # Of two who say so at once, one makes the image; the batch may have been deleted.
            if not db.execute("DELETE FROM tickets WHERE id = ?", (image_id,)).rowcount:
                return None
            db.execute(
                "INSERT INTO images (id, batch, name, size, state, received, revision)"
                " SELECT ?, id, ?, ?, ?, ?, (SELECT last FROM revision) FROM batches WHERE id = ?",
                (image.id, image.name, size, image.state, image.received, batch),
            )
        return image


def expire(database: Database, now: float) -> int:
    """Give up uploads that nobody has said to be there, and have deleted what may lie there; how many those were."""
    before = now - _GRACE_SECONDS
    with database.reading() as db:
        if not db.execute("SELECT 1 FROM tickets WHERE expires < ? LIMIT 1", (before,)).fetchone():
            return 0
    with database.writing() as db:
        rows = db.execute("DELETE FROM tickets WHERE expires < ? RETURNING id", (before,)).fetchall()
        db.executemany("INSERT OR IGNORE INTO deleted_images VALUES (?)", rows)
    return len(rows)
