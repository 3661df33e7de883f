"""What the store knows of an image, and how the API shows it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from novaburst.contract import ContractError, Failure, Request, Result, utc_now
from novaburst.error_codes import REMEDIES, ErrorCode

# Why an image is refused of which `message_for` makes none.
NO_MESSAGE = Failure(code=ErrorCode.BAD_KEY, detail="it is too long for a message of the queue")


class State(StrEnum):
    """How far an image has come; the order in which a good one passes through them."""

    # Written before the S3 put: an image of this state after a crash may lie in the bucket, unqueued.
    RECEIVING = "receiving"
    # SQS has taken its request.
    QUEUED = "queued"
    # Its result is known, a label or an error.
    ANSWERED = "answered"
    # Never queued: the failure says why.
    REFUSED = "refused"


PENDING = (State.RECEIVING, State.QUEUED)


@dataclass(frozen=True)
class Image:
    """One uploaded file. Times are seconds since the epoch; `size` is in bytes."""

    id: str
    batch: str
    name: str
    size: int
    state: State
    received: float
    answered: float | None = None
    # Why a refused image was refused.
    refusal: Failure | None = None
    result: Result | None = None
    # The store's count of changes at this image's last one.
    revision: int = 0
    # The key of an object that was in the bucket before; an uploaded one lies under its id.
    key: str | None = None
    # When SQS last took its request, if that is known.
    queued: float | None = None

    @property
    def object_key(self) -> str:
        """Where it lies in the in-bucket."""
        return self.key or self.id

    @property
    def waiting_since(self) -> float:
        """When its time in the queue began, in seconds since the epoch."""
        return self.received if self.queued is None else self.queued

    @property
    def pending(self) -> bool:
        """Whether its answer is still to come."""
        return self.state in PENDING

    @property
    def failure(self) -> Failure | None:
        """Why it has no label, if that is known."""
        return self.refusal or (self.result.error if self.result else None)


@dataclass(frozen=True)
class Counts:
    """Images of a batch (or of the whole store) by outcome."""

    total: int
    done: int
    failed: int

    @property
    def pending(self) -> int:
        """Those without an answer yet."""
        return self.total - self.done - self.failed

    def as_json(self) -> dict[str, int]:
        """The counts by name."""
        return {"total": self.total, "done": self.done, "failed": self.failed, "pending": self.pending}


def request_for(image: Image, bucket: str) -> Request:
    """The request to classify an image that lies in `bucket`."""
    key = image.object_key
    return Request(id=image.id, batch=image.batch, bucket=bucket, key=key, name=image.name, sent=utc_now())


def message_for(image: Image, bucket: str) -> str | None:
    """The message that has an image classified, or None when its key leaves no room in one."""
    try:
        return request_for(image, bucket).to_message()
    except (ContractError, ValidationError):
        return None


def outcome(image: Image) -> str:
    """`pending`, `done` or `failed`: the three words that the API uses."""
    if image.pending:
        return "pending"
    return "failed" if image.failure else "done"


def as_json(image: Image) -> dict[str, Any]:
    """The image as the API shows it."""
    result = image.result
    return {
        "id": image.id,
        "batch": image.batch,
        "name": image.name,
        "key": image.key,
        "bytes": image.size,
        "state": outcome(image),
        "label": result.label if result else None,
        "score": result.score if result else None,
        "top5": [guess.model_dump() for guess in result.top5] if result else [],
        "error": failure_json(image.failure),
        "worker": result.worker if result else None,
        "ms": result.ms.model_dump() if result else None,
        "received": moment(image.received),
        "answered": None if image.answered is None else moment(image.answered),
    }


def failure_json(failure: Failure | None) -> dict[str, str] | None:
    """A failure with what to do about it."""
    if failure is None:
        return None
    return {"code": failure.code, "detail": failure.detail, "remedy": REMEDIES[failure.code]}


def moment(seconds: float) -> str:
    """Seconds since the epoch in ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
