"""Queues what was given by reference, by tens, in the background: a hundred thousand images wait in the store."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from novaburst.bounds import SQS_BATCH
from novaburst.queues import Queue
from web_tier.images import NO_MESSAGE, Image, message_for
from web_tier.queueing import queue_images
from web_tier.references import References
from web_tier.store import Store

log = logging.getLogger(__name__)

# Calls of SQS at once, at 30 ms each what twenty workers classify; and images taken from the store at once.
_SENDERS = 12
_AT_ONCE = 1200


class Feeder:
    """One process's feeder; several share the work, and one that dies is replaced by the others after a minute."""

    def __init__(
        self,
        references: References,
        store: Store,
        request_queue: Callable[[], Queue],
        bucket: str,
        on_queued: Callable[[], None],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._references = references
        self._store = store
        self._request_queue = request_queue
        self._bucket = bucket
        self._on_queued = on_queued
        self._clock = clock

    def feed(self, stop: threading.Event) -> int:
        """Queue all that there is, unless `stop` is set; how many images that was.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError, sqlite3.Error: what is left is queued later.
        """
        fed = 0
        with ThreadPoolExecutor(_SENDERS, thread_name_prefix="feed") as senders:
            while not stop.is_set():
                listed = self._references.list_on(self._clock())
                images = self._references.claim(self._clock(), _AT_ONCE)
                if images:
                    tens = [images[start : start + SQS_BATCH] for start in range(0, len(images), SQS_BATCH)]
                    fed += sum(senders.map(self._send, tens))
                    self._on_queued()
                elif not listed:
                    break
        return fed

    def _send(self, images: Sequence[Image]) -> int:
        messages = {image.id: message_for(image, self._bucket) for image in images}
        bodies = {image_id: body for image_id, body in messages.items() if body is not None}
        for image_id in messages.keys() - bodies.keys():
            # Entered by a version that took its key: left alone, it would be claimed for ever.
            self._store.refuse(image_id, NO_MESSAGE, self._clock())
            log.warning("image %s is refused, its key leaves no room in a message", image_id)
        return queue_images(bodies, self._request_queue(), self._store, self._clock())
