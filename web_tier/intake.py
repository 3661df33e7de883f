"""Takes files in: ledger, bucket, queue, in this order, while the rest of the body is still arriving."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from novaburst.contract import ContractError, Failure, new_id
from novaburst.error_codes import ErrorCode
from novaburst.objects import Bucket
from novaburst.storage import Objects
from web_tier.attempts import OTHER_REQUEST
from web_tier.images import Image, State, request_for
from web_tier.names import display_name, metadata_value
from web_tier.parts import IN_MEMORY, Part
from web_tier.problems import Problem
from web_tier.sender import Sender
from web_tier.store import Store

log = logging.getLogger(__name__)

# S3 puts at once in one process: of uploads with several files, and of the last or only file of an upload.
_PUTS = 16
_LAST_PUTS = 32
# Puts that one upload may have under way; its reader waits beyond, so its files never pile up in memory.
_PUTS_AN_UPLOAD = 4
# States of an image that has gone through the queue.
_QUEUED = (State.QUEUED, State.ANSWERED)


@dataclass(frozen=True)
class Taken:
    """What became of one file, and the form field it came in."""

    image: Image
    field: str

    @property
    def accepted(self) -> bool:
        """Whether it is on its way to a worker."""
        return self.image.state is not State.REFUSED


class Intake:
    """The door for uploaded files. Safe to share between threads."""

    def __init__(
        self,
        store: Store,
        in_bucket: Bucket,
        quick_in_bucket: Callable[[], Objects],
        sender: Sender,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._in_bucket = in_bucket
        self._quick_in_bucket = quick_in_bucket
        self._sender = sender
        self._clock = clock
        self._puts = ThreadPoolExecutor(_PUTS, thread_name_prefix="put")
        self._last_puts = threading.BoundedSemaphore(_LAST_PUTS)

    def open_batch(self) -> str:
        """Make an empty batch; its id cannot be guessed."""
        batch = str(uuid4())
        self._store.add_batch(batch, self._clock())
        return batch

    def take(self, parts: Iterable[Part], batch: str) -> list[Taken]:
        """Store and queue each file as soon as it is there; every file has its answer, in order.

        A file whose identity is known already was queued by an earlier attempt of this request, and is not again.

        Raises:
            Problem: 422, such a file is another one now.
        """
        room = threading.BoundedSemaphore(_PUTS_AN_UPLOAD)
        underway: list[tuple[Image, str, Future[Future[bool]] | None]] = []
        for part in parts:
            image = self._entry(part, batch)
            known = self._store.image(image.id) if part.identity else None
            if known is not None and (part.fault is not None or known.state in _QUEUED):
                part.body.close()
                underway.append((_same(known, image), part.field, None))
                continue
            if part.fault is not None:
                part.body.close()
                image = self._refused(image, Failure(code=part.fault, detail=_DETAILS.get(part.fault, "")))
                self._store.add_image(image)
                underway.append((image, part.field, None))
                continue
            if part.last and part.size <= IN_MEMORY:
                put = self._put_here(image, part, again=known is not None)
            else:
                room.acquire()
                put = self._puts.submit(self._put, image, part, again=known is not None)
                put.add_done_callback(lambda _: room.release())
            underway.append((image, part.field, put))
        return [Taken(image if put is None else self._settled(image, put), field) for image, field, put in underway]

    def close(self) -> None:
        """Finish the puts under way."""
        self._puts.shutdown()

    def _entry(self, part: Part, batch: str) -> Image:
        return Image(
            id=part.identity or new_id(),
            batch=batch,
            name=display_name(part.filename),
            size=part.size,
            state=State.RECEIVING,
            received=self._clock(),
        )

    def _put_here(self, image: Image, part: Part, *, again: bool) -> "Future[Future[bool]]":
        """As the pool does, in the caller's thread, which has nothing else to do: most uploads are one small file."""
        put: Future[Future[bool]] = Future()
        with self._last_puts:
            try:
                put.set_result(self._put(image, part, again=again))
            except Exception as error:  # told by the future, as the pool's
                put.set_exception(error)
        return put

    def _put(self, image: Image, part: Part, *, again: bool) -> "Future[bool]":
        with part.body as body:
            enter = self._store.reopen if again else self._store.add_image
            enter(image)
            kind = part.content_type if part.content_type.startswith("image/") else "application/octet-stream"
            metadata = {"name": metadata_value(image.name), "batch": image.batch}
            if part.size <= IN_MEMORY:
                self._quick_in_bucket().put(image.id, body.read(), content_type=kind, metadata=metadata)
            else:
                # From the disk bit by bit: several whole files in memory would be too much.
                self._in_bucket.put(image.id, body, content_type=kind, metadata=metadata)
        return self._sender.submit(request_for(image, self._in_bucket.name))

    def _settled(self, image: Image, put: "Future[Future[bool]]") -> Image:
        try:
            if put.result().result():
                return replace(image, state=State.QUEUED)
            reason = "the request queue did not take it"
        except (BotoCoreError, ClientError, ContractError, sqlite3.Error) as error:
            log.exception("image %s (%r) was not stored", image.id, image.name)
            reason = f"{type(error).__name__} while storing it"
        refused = self._refused(image, Failure(code=ErrorCode.NOT_STORED, detail=reason))
        try:
            self._store.refuse(image.id, Failure(code=ErrorCode.NOT_STORED, detail=reason), self._clock())
        except sqlite3.Error:
            log.exception("the refusal of image %s could not be entered", image.id)
        return refused

    def _refused(self, image: Image, failure: Failure) -> Image:
        return replace(image, state=State.REFUSED, refusal=failure, answered=self._clock())


def _same(known: Image, image: Image) -> Image:
    if known.state in _QUEUED and (known.name, known.size) != (image.name, image.size):
        raise Problem(422, OTHER_REQUEST)
    return known


_DETAILS = {
    ErrorCode.EMPTY_FILE: "0 bytes arrived",
    ErrorCode.NOT_STORED: "this server has no room for it now",
    ErrorCode.UPLOAD_INCOMPLETE: "the body ended before the file did",
}
