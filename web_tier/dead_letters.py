"""Answers what the dead-letter queue holds: requests that SQS gave up on, since no worker lived to answer them."""

import logging
import time
from collections.abc import Callable

from novaburst.contract import ContractError, Failure, Request, Result, result_key
from novaburst.error_codes import ErrorCode
from novaburst.queues import Received
from web_tier.answers import stored_result
from web_tier.deployment import Deployment
from web_tier.store import Store

log = logging.getLogger(__name__)

_WORKER = "dead-letter-queue"
_LOGGED_BODY_CHARACTERS = 1024


class DeadLetters:
    """One consumer of the dead-letter queue; several may run."""

    def __init__(self, deployment: Deployment, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._deployment = deployment
        self._store = store
        self._clock = clock

    def answer(self) -> int:
        """Answer up to ten requests; how many that was. What cannot be read stays, for the alarm and the operator.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError, sqlite3.Error: they come again, a second time is harmless.
        """
        queue = self._deployment.dead_letter_queue
        answered = []
        for message in queue.receive(wait_seconds=0):
            request = _read(message)
            result = self._result(request) if request else None
            if result is not None:
                self._store.record([result], self._clock())
                answered.append(message)
        queue.delete(answered)
        return len(answered)

    def _result(self, request: Request) -> Result | None:
        """The result that a worker has left after all, or an error, which is stored first: the bucket is the truth.

        None when it has left one that cannot be read: a later version's label must not become an error.
        """
        out_bucket = self._deployment.out_bucket
        if (present := stored_result(out_bucket, request.id)) is not None:
            return present
        if out_bucket.exists(result_key(request.id)):
            log.error("left in the dead-letter queue: the result object of %s is there and not readable", request.id)
            return None
        failure = Failure(code=ErrorCode.WORKER_CRASHED, detail="no worker lived to answer it")
        result = Result(id=request.id, batch=request.batch, name=request.name, error=failure, worker=_WORKER)
        out_bucket.put(result_key(result.id), result.to_json().encode(), content_type="application/json")
        log.warning("image %s came to the dead-letter queue and is answered with an error", request.id)
        return result


def _read(message: Received) -> Request | None:
    try:
        return Request.parse(message.body)
    except ContractError as error:
        body = message.body[:_LOGGED_BODY_CHARACTERS]
        log.error("left in the dead-letter queue: %s in %r", error, body)  # noqa: TRY400 - it says it all
        return None
