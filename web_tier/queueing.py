"""Puts images that lie in the bucket into the request queue, and enters that they are there."""

import logging
from collections.abc import Mapping

from novaburst.queues import Queue
from web_tier.store import Store

log = logging.getLogger(__name__)


def queue_images(messages: Mapping[str, str], request_queue: Queue, store: Store, now: float) -> int:
    """Send the messages of images, by their ids, and mark those that SQS took; how many these were.

    At most ten, which are one call: one that fails then has none before it sent twice.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError, sqlite3.Error: none is marked.
    """
    failed = set(request_queue.send(list(messages.values())))
    taken = [image_id for number, image_id in enumerate(messages) if number not in failed]
    store.mark_queued(taken, now)
    if failed:
        log.warning("SQS did not take %d of %d requests, they are sent again", len(failed), len(messages))
    return len(taken)
