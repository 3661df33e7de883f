"""Answers what the dead-letter queue holds: requests that SQS gave up on, since no worker lived to answer them."""

import logging
import time
from collections.abc import Callable

from novaburst.bounds import SQS_BATCH
from novaburst.contract import Result, result_key
from novaburst.dead_letters import facts_of_answer
from novaburst.letters import Letter, What, plan_answer, read
from web_tier.deployment import Deployment
from web_tier.store import Store

log = logging.getLogger(__name__)

# For how long one call takes letters, in seconds. What it leaves stays hidden meanwhile, so that it comes to those
# behind, and is back for the alarm before the next call.
_TAKING_SECONDS = 20.0
_HIDE_SECONDS = 30
# Letters told of in one call that nobody can answer; of others their number.
_TOLD = 10
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
        """Answer some ten requests; how many that was.

        What cannot be answered stays, for the alarm and the operator, and however much of it there is stops no other.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError, sqlite3.Error: they come again, a second time is harmless.
        """
        queue = self._deployment.dead_letter_queue
        until = time.monotonic() + _TAKING_SECONDS
        answered, left = 0, 0
        while answered < SQS_BATCH and time.monotonic() < until:
            messages = queue.receive(wait_seconds=0, hide_seconds=_HIDE_SECONDS)
            if not messages:
                break
            done = []
            for message in messages:
                result = self._result(read(message), tell=left < _TOLD)
                if result is not None:
                    self._store.record([result], self._clock())
                    done.append(message)
                else:
                    left += 1
            queue.delete(done)
            answered += len(done)
        if left > _TOLD:
            log.error("left in the dead-letter queue: %d more", left - _TOLD)
        return answered

    def _result(self, letter: Letter, *, tell: bool) -> Result | None:
        """The result that a worker has left after all, or an error, which is stored first: the bucket is the truth.

        None for what no request can be read in, and for an image with a result that cannot be read: a later version's
        label must not become an error. `tell` is whether the log shall have it.
        """
        level = logging.ERROR if tell else logging.DEBUG
        if letter.request is None:
            body = letter.received.body[:_LOGGED_BODY_CHARACTERS]
            log.log(level, "left in the dead-letter queue: %s in %r", letter.fault, body)
            return None
        out_bucket = self._deployment.out_bucket
        step = plan_answer(letter, facts_of_answer(out_bucket, letter.request.id), _DETAIL, worker=_WORKER)
        if step.what is What.LEAVE:
            log.log(level, "image %s is left in the dead-letter queue: %s", letter.request.id, step.why)
        if step.what is What.ANSWER and step.result is not None:
            content = step.result.to_json().encode()
            out_bucket.put(result_key(step.result.id), content, content_type="application/json")
            log.warning("image %s came to the dead-letter queue and is answered with an error", letter.request.id)
        return step.result
