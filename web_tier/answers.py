"""Finds answers: in the store, and behind it in the out-bucket, which is the truth."""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterable

from botocore.exceptions import BotoCoreError, ClientError

from novaburst.contract import ContractError, Result
from novaburst.objects import Bucket, ObjectMissingError
from novaburst.result_objects import read_result
from web_tier.caller import Caller
from web_tier.images import Image
from web_tier.notifier import Notifier
from web_tier.store import Store

log = logging.getLogger(__name__)

# A result younger than this comes through the listener; only then is the bucket asked, in seconds.
_PATIENCE_SECONDS = 1.5
# However often somebody asks for an image that is pending, the bucket is asked once in this time, in seconds: thousands
# who poll while a fleet boots would cost a request of S3 each time. So many images are remembered for that.
_AGAIN_SECONDS = 3.0
_REMEMBERED = 10_000
# The form of an image's id: anything else is no key to ask S3 for.
_IDENTITY = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Answers:
    """Results, by image."""

    def __init__(
        self, store: Store, out_bucket: Bucket, notifier: Notifier, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._out_bucket = out_bucket
        self._notifier = notifier
        self._clock = clock
        # When the bucket was last asked for a pending image.
        self._asked: dict[str, float] = {}
        self._asking = threading.Lock()

    def find(self, image_id: str) -> Image | None:
        """One image as it stands; a result that the listener has missed, or an image lost here, is looked up in S3.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: the image is not known here and S3 did not answer.
        """
        if not _IDENTITY.fullmatch(image_id):
            return None
        image = self._store.image(image_id)
        if image is not None and not (image.pending and self._overdue(image)):
            return image
        try:
            result = stored_result(self._out_bucket, image_id)
        except (BotoCoreError, ClientError) as error:
            if image is None:
                raise
            log.warning("the out-bucket could not be asked for %s: %s", image_id, error)
            return image
        if result is None:
            return image
        self._store.record([result], self._clock())
        return self._store.image(image_id)

    def _overdue(self, image: Image) -> bool:
        """Whether it is time to ask the bucket for an image; whoever is told so is to do it."""
        now = self._clock()
        if now - image.received < _PATIENCE_SECONDS:
            return False
        with self._asking:
            if now - self._asked.get(image.id, float("-inf")) < _AGAIN_SECONDS:
                return False
            if len(self._asked) >= _REMEMBERED:
                self._asked.clear()
            self._asked[image.id] = now
            return True

    def wait_for(self, ids: Iterable[str], seconds: float, caller: Caller) -> dict[str, Image]:
        """The images as they stand when all are answered, after `seconds`, or once who waits for them is gone."""
        wanted = list(ids)
        with self._notifier.watching(wanted) as waiter:
            caller.wait(waiter.wait, seconds)
        return self._store.images(wanted)


def stored_result(out_bucket: Bucket, image_id: str) -> Result | None:
    """The result object of an image, or None when there is none that can be read."""
    try:
        return read_result(out_bucket, image_id)
    except ObjectMissingError:
        return None
    except ContractError as error:
        log.warning("the result object of %s is not of the contract: %s", image_id, error)
        return None
