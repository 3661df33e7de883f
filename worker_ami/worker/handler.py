"""One message: fetch, classify, store the answer; the outcome says what becomes of the message.

Nothing is lost: a message is only answered once its result object is stored, and whatever cannot be answered now goes
back to the queue. What cannot be answered at all, a body without a readable id, is left to the dead-letter queue.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from novaburst.bounds import MAX_RECEIVE_COUNT
from novaburst.contract import (
    ContractError,
    Failure,
    Request,
    Result,
    StageTimes,
    answer_to_unreadable,
    result_key,
    utc_now,
)
from novaburst.error_codes import ErrorCode
from novaburst.objects import ObjectMissingError, ObjectTooLargeError
from novaburst.queues import Received
from novaburst.result_objects import read_result
from novaburst.storage import Objects
from worker_ami.worker.classifier import Classifies
from worker_ami.worker.counts import Counts
from worker_ami.worker.isolation import IsolationError
from worker_ami.worker.refusal import ImageRefusedError

log = logging.getLogger(__name__)

_FIRST_RETRY_SECONDS = 5
_LONGEST_RETRY_SECONDS = 300
_LOGGED_BODY_CHARACTERS = 1024


@dataclass(frozen=True)
class Answered:
    """The result is stored: send `notice` to the response queue, then delete the message."""

    received: Received
    notice: str


@dataclass(frozen=True)
class GivenBack:
    """No answer now: let the message be delivered again after `seconds`."""

    received: Received
    seconds: int


class Handler:
    """Shared by all handler threads.

    An image at its first delivery goes to `classifier`, a suspect (delivered before) to `isolation`, which says whether
    it is poison: what happened to the workers that held it may have been the doing of another image. From
    `poison_receive_count` on an image on which there is no verdict even so is answered with an error, and at its last
    delivery before the dead-letter queue it is answered unseen. `now` gives the moment of receipt, for the time a
    request was queued.
    """

    def __init__(
        self,
        in_bucket: Objects,
        out_bucket: Objects,
        classifier: Classifies,
        isolation: Classifies,
        counts: Counts,
        *,
        worker: str,
        max_bytes: int,
        poison_receive_count: int,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._in_bucket = in_bucket
        self._out_bucket = out_bucket
        self._classifier = classifier
        self._isolation = isolation
        self._counts = counts
        self._worker = worker
        self._max_bytes = max_bytes
        self._poison_receive_count = poison_receive_count
        self._now = now

    def handle(self, received: Received) -> Answered | GivenBack:
        """Answer one message, or say when it shall come again; never raises, whatever the message holds."""
        try:
            return self._handle(received)
        except (BotoCoreError, ClientError) as error:
            seconds = retry_seconds(received.receive_count)
            log.warning("no answer now, again in %d s: %s", seconds, error, extra={"message_id": received.message_id})
        except Exception:
            seconds = retry_seconds(received.receive_count)
            log.exception("no answer now, again in %d s", seconds, extra={"message_id": received.message_id})
        return GivenBack(received, seconds)

    def _handle(self, received: Received) -> Answered | GivenBack:
        try:
            request = Request.parse(received.body)
        except ContractError as error:
            result = self._refusal_of(received.body, error)
            extra = {"body": received.body[:_LOGGED_BODY_CHARACTERS], "message_id": received.message_id}
            if result is None:
                log.error("left to the dead-letter queue: %s", error, extra=extra)  # noqa: TRY400 - it says it all
                return GivenBack(received, 0)
            log.error("answered with an error: %s", error, extra=extra)  # noqa: TRY400 - it says it all
            return Answered(received, self._store(result, received).to_message())
        result = self._stored(received, request.id) or self._store(self._answer(received, request), received)
        return Answered(received, result.to_message())

    def _refusal_of(self, body: str, error: ContractError) -> Result | None:
        failure = Failure(code=ErrorCode.INTERNAL_ERROR, detail=f"the request could not be read: {error}")
        return answer_to_unreadable(body, failure, self._worker)

    def _stored(self, received: Received, image_id: str) -> Result | None:
        if received.receive_count == 1:
            return None
        try:
            result = read_result(self._out_bucket, image_id)
        except (ObjectMissingError, ContractError):
            return None
        log.info("answered before: notice sent again", extra={"image": image_id})
        return result

    def _store(self, result: Result, received: Received) -> Result:
        self._out_bucket.put(result_key(result.id), result.to_json().encode(), content_type="application/json")
        self._counts.add(result)
        log.info(
            "answered",
            extra={
                "image": result.id,
                "label": result.label,
                "error": result.error and result.error.code,
                "deliveries": received.receive_count,
                "ms": result.ms.model_dump(),
            },
        )
        return result

    def _answer(self, received: Received, request: Request) -> Result:
        ms = {"queued": queued_ms(request.sent, self._now())}
        outcome: dict[str, Any]
        try:
            _refuse_last_delivery(received)
            began = time.perf_counter()
            data = self._fetch(request)
            ms["fetch"] = (time.perf_counter() - began) * 1000
            first = received.receive_count == 1
            seen = (self._classifier if first else self._isolation).classify(data)
            ms |= {"decode": seen.decode_ms, "infer": seen.infer_ms}
        except ImageRefusedError as error:
            outcome = {"error": Failure(code=error.code, detail=error.detail)}
        except IsolationError:
            if received.receive_count < self._poison_receive_count:
                raise
            outcome = {"error": Failure(code=ErrorCode.WORKER_CRASHED, detail=_never_answered(received))}
        # Out of memory beside other images: another try, alone, may well succeed.
        except (BotoCoreError, ClientError, MemoryError):
            raise
        except Exception as error:
            log.exception("unexpected error", extra={"image": request.id})
            outcome = {"error": Failure(code=ErrorCode.INTERNAL_ERROR, detail=type(error).__name__)}
        else:
            best = seen.guesses[0]
            outcome = {"label": best.label, "score": best.score, "top5": seen.guesses}
        return Result(
            id=request.id, batch=request.batch, name=request.name, worker=self._worker, ms=_rounded(ms), **outcome
        )

    def _fetch(self, request: Request) -> bytes:
        if request.bucket != self._in_bucket.name:
            detail = f"the request names bucket {request.bucket}, which this worker does not read"
            raise ImageRefusedError(ErrorCode.OBJECT_MISSING, detail)
        try:
            return self._in_bucket.get(request.key, max_bytes=self._max_bytes)
        except ObjectMissingError as error:
            raise ImageRefusedError(ErrorCode.OBJECT_MISSING, str(error)) from error
        except ObjectTooLargeError as error:
            raise ImageRefusedError(ErrorCode.TOO_LARGE, str(error)) from error


def _refuse_last_delivery(received: Received) -> None:
    if received.receive_count >= MAX_RECEIVE_COUNT:
        raise ImageRefusedError(ErrorCode.WORKER_CRASHED, _never_answered(received))


def _never_answered(received: Received) -> str:
    return f"taken {received.receive_count} times and never answered"


def queued_ms(sent: datetime, now: datetime) -> float:
    """Milliseconds from `sent` (UTC where it names no zone) to `now`; 0 when the sender's clock is ahead."""
    aware = sent if sent.tzinfo else sent.replace(tzinfo=UTC)
    return max(0.0, (now - aware).total_seconds() * 1000)


def retry_seconds(receive_count: int) -> int:
    """How long a message waits after its `receive_count`-th failure: 5, 15, 45, 135, then 300 seconds.

    Long enough that a few minutes without S3 do not use up the receives of every image.
    """
    return int(min(_FIRST_RETRY_SECONDS * 3 ** min(receive_count - 1, 8), _LONGEST_RETRY_SECONDS))


def _rounded(ms: Mapping[str, float]) -> StageTimes:
    return StageTimes.model_validate({stage: round(value, 1) for stage, value in ms.items()})
