"""Looks after images that have been pending for long: queues what a crash left unqueued, fetches missed results."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from novaburst.bounds import MESSAGE_RETENTION_SECONDS, SQS_BATCH
from novaburst.contract import Failure, result_key
from novaburst.error_codes import ErrorCode
from novaburst.looks import Unanswered, look_at_each
from web_tier.answers import stored_result
from web_tier.deployment import Deployment
from web_tier.images import Image, State, request_for
from web_tier.queueing import queue_images
from web_tier.store import Store

log = logging.getLogger(__name__)

A = TypeVar("A")

# An upload in progress takes seconds from ledger to queue; its row is left alone for this long.
_UNQUEUED_SECONDS = 30.0
# Longer than all attempts of a put together (five of at most 40 s each): what is not there now will not come.
_MISSING_SECONDS = 600.0
# The response queue brings a result within a second; a cold fleet takes a minute or two.
_UNANSWERED_SECONDS = 5.0
# A worker answers within minutes for an object that is gone, so that its message must be gone as well by then.
_LOST_SECONDS = 900.0
# Images looked after in one sweep, and up to how many are asked for one by one instead of by a listing.
_AT_ONCE = 1000
_ONE_BY_ONE = 20


class Sweeper:
    """One sweep after another; several processes may sweep, since each image is given to one of them at a time."""

    def __init__(
        self,
        deployment: Deployment,
        store: Store,
        on_queued: Callable[[], None],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._deployment = deployment
        self._store = store
        self._on_queued = on_queued
        self._clock = clock

    def sweep(self) -> None:
        """Look once after everything that is due.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError, sqlite3.Error: what is left comes again, later.
        """
        now = self._clock()
        failures: list[Exception] = []
        unqueued = self._store.claim_overdue(State.RECEIVING, now, _UNQUEUED_SECONDS, _AT_ONCE)
        try:
            self._queue_again(unqueued, now, failures)
        except (BotoCoreError, ClientError) as error:
            # A request queue that is away keeps no result in the bucket.
            failures.append(error)
        queued = self._store.claim_overdue(State.QUEUED, now, _UNANSWERED_SECONDS, _AT_ONCE)
        self._look_for_lost(self._fetch_results(queued, now, failures), now, failures)
        if failures:
            raise failures[0]

    def _queue_again(self, images: Sequence[Image], now: float, failures: list[Exception]) -> None:
        there = self._there(images, failures)
        stored = [image for image in images if there.get(image.id)]
        if stored:
            log.warning("%d images that were stored and not queued are queued now", self._send(stored, now))
        for image in images:
            if there.get(image.id) is False and now - image.received > _MISSING_SECONDS:
                detail = "the upload stopped before the image was stored"
                self._store.refuse(image.id, Failure(code=ErrorCode.OBJECT_MISSING, detail=detail), now)
                log.warning("image %s never arrived in the bucket", image.id)

    def _send(self, images: Sequence[Image], now: float) -> int:
        """Queue images whose objects are there, and wake the Lambda; how many SQS took."""
        sent = 0
        for start in range(0, len(images), SQS_BATCH):
            some = images[start : start + SQS_BATCH]
            messages = {image.id: request_for(image, self._deployment.in_bucket.name).to_message() for image in some}
            sent += queue_images(messages, self._deployment.request_queue, self._store, now)
            self._on_queued()
        return sent

    def _fetch_results(self, images: Sequence[Image], now: float, failures: list[Exception]) -> list[Image]:
        """Enter the results that the bucket has of these images; the images that surely have none."""
        out_bucket, asked = self._deployment.out_bucket, self._answered(images)
        looked = _seen(lambda image: stored_result(out_bucket, image.id), asked, failures)
        results = [result for result in looked.values() if result is not None]
        if results and (news := self._store.record(results, now)):
            log.info("%d results were found in the bucket before their message came", news)
        left_out = {image.id for image in asked if image.id not in looked}
        return [image for image in images if looked.get(image.id) is None and image.id not in left_out]

    def _look_for_lost(self, images: Sequence[Image], now: float, failures: list[Exception]) -> None:
        """Answer images whose object and message are gone; queue those again whose message alone has expired."""
        old = [image for image in images if now - image.waiting_since > _LOST_SECONDS]
        there = self._there(old, failures)
        for image in old:
            if there.get(image.id) is False:
                detail = "it was stored and queued, and neither it nor a result is there any more"
                failure = Failure(code=ErrorCode.OBJECT_MISSING, detail=detail)
                self._store.refuse(image.id, failure, now, state=State.QUEUED)
                log.warning("image %s is gone from the bucket, unanswered", image.id)
        expired = [
            image for image in old if there.get(image.id) and now - image.waiting_since > MESSAGE_RETENTION_SECONDS
        ]
        if expired:
            log.warning("%d images whose messages have expired are queued again", self._send(expired, now))

    def _answered(self, images: Sequence[Image]) -> Sequence[Image]:
        if len(images) <= _ONE_BY_ONE:
            return images
        # Ids are in the order of time, so the results of these images lie between the first and the last.
        last = result_key(images[-1].id)
        there = set()
        for key in self._deployment.out_bucket.keys(after=images[0].id):
            if key > last:
                break
            there.add(key)
        return [image for image in images if result_key(image.id) in there]

    def _there(self, images: Sequence[Image], failures: list[Exception]) -> dict[str, bool]:
        """By id, whether an image's object is in the in-bucket."""
        in_bucket = self._deployment.in_bucket
        return _seen(lambda image: in_bucket.exists(image.object_key), images, failures)


def _seen(look: Callable[[Image], A], images: Sequence[Image], failures: list[Exception]) -> dict[str, A]:
    """What `look` says of each image, by id. Those of which S3 says nothing now are left out, for a later sweep."""
    seen = {}
    for image, answer in zip(images, look_at_each(look, images), strict=True):
        if isinstance(answer, Unanswered):
            failures.append(answer.error)
        else:
            seen[image.id] = answer
    return seen
