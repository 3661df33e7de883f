"""Answers what the dead-letter queue holds: requests that SQS gave up on, since no worker lived to answer them."""

import logging
import time
from collections.abc import Callable

from novaburst.contract import Result, result_key
from novaburst.dead_letters import facts_of_answer
from novaburst.letters import Letter, What, plan_answer, read
from web_tier.deployment import Deployment
from web_tier.store import Store

log = logging.getLogger(__name__)

_WORKER = "dead-letter-queue"
_DETAIL = "no worker lived to answer it"
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
            result = self._result(read(message))
            if result is not None:
                self._store.record([result], self._clock())
                answered.append(message)
        queue.delete(answered)
        return len(answered)

    def _result(self, letter: Letter) -> Result | None:
        """The result that a worker has left after all, or an error, which is stored first: the bucket is the truth.

        None for what no request can be read in, and for an image with a result that cannot be read: a later version's
        label must not become an error.
        """
        if letter.request is None:
            body = letter.received.body[:_LOGGED_BODY_CHARACTERS]
            log.error("left in the dead-letter queue: %s in %r", letter.fault, body)
            return None
        out_bucket = self._deployment.out_bucket
        step = plan_answer(letter, facts_of_answer(out_bucket, letter.request.id), _DETAIL, worker=_WORKER)
        if step.what is What.LEAVE:
            log.error("image %s is left in the dead-letter queue: %s", letter.request.id, step.why)
        if step.what is What.ANSWER and step.result is not None:
            content = step.result.to_json().encode()
            out_bucket.put(result_key(step.result.id), content, content_type="application/json")
            log.warning("image %s came to the dead-letter queue and is answered with an error", letter.request.id)
        return step.result
