"""The two messages that travel between the tiers, as validated values, and their encoding in at most 1,024 bytes.

A request says where an image lies; a result says what was seen in it. Both are JSON, ASCII-escaped, with a version.
The result object in the out-bucket is the whole truth; the SQS messages are cut to fit, and say so.
"""

import json
import secrets
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from novaburst.bounds import MAX_MESSAGE_BYTES
from novaburst.error_codes import ErrorCode

CUT_MARK = "…"
_Identity = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]


class ContractError(ValueError):
    """A message body that is not of the contract; the text says what is wrong with it."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")

    v: Literal[1] = 1

    @classmethod
    def parse(cls, body: str | bytes) -> Self:
        """Read a message or result object.

        Raises:
            ContractError: not JSON, a version other than 1, or a field that is missing or of the wrong kind.
        """
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
            raise ContractError(f"not a {cls.__name__}: {faults}") from error

    def to_json(self) -> str:
        """The whole value as ASCII-escaped JSON, of any length."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":"))


class Request(_Message):
    """An image to classify: the body of a message on the request queue."""

    id: _Identity
    batch: _Identity
    bucket: Annotated[str, StringConstraints(min_length=3, max_length=63)]
    key: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    name: str
    sent: datetime

    def to_message(self) -> str:
        """The SQS body, at most 1,024 bytes; a display name too long for it is cut and ends with `CUT_MARK`.

        Raises:
            ContractError: the message is too long even without a name (a key of several hundred bytes).
        """
        if len(body := self.to_json()) <= MAX_MESSAGE_BYTES:
            return body
        spare = MAX_MESSAGE_BYTES - len(self.model_copy(update={"name": ""}).to_json())
        if spare < _escaped_length(CUT_MARK):
            raise ContractError(f"the request for key {self.key[:80]!r} does not fit in {MAX_MESSAGE_BYTES} bytes")
        return self.model_copy(update={"name": cut(self.name, spare)}).to_json()


class Guess(BaseModel):
    """One class the model holds possible, with its softmax probability (0 to 1)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    label: str
    score: Annotated[float, Field(ge=0, le=1)]


class Failure(BaseModel):
    """Why an image has no label: a code of the fixed list, and a sentence about this image."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: ErrorCode
    detail: str = ""


class StageTimes(BaseModel):
    """Milliseconds that an image spent in each stage; `queued` is from its request's `sent` to its receipt."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    queued: float = 0
    fetch: float = 0
    decode: float = 0
    infer: float = 0


class Result(_Message):
    """The answer to one image: the object `<id>.json` in the out-bucket and, cut, the response queue's message."""

    id: _Identity
    batch: _Identity
    name: str
    label: str | None = None
    score: Annotated[float, Field(ge=0, le=1)] | None = None
    top5: tuple[Guess, ...] = ()
    error: Failure | None = None
    worker: str
    ms: StageTimes = StageTimes()
    cut: bool = False

    @model_validator(mode="after")
    def _label_or_error(self) -> Self:
        if (self.label is None) == (self.error is None):
            raise ValueError("a result has either a label or an error")
        return self

    def to_message(self) -> str:
        """The SQS body, at most 1,024 bytes.

        What does not fit is given up in this order, and `cut` says so: the top 5, then the ends of name, detail
        and label. The whole value is the out-bucket's object.
        """
        if len(body := self.to_json()) <= MAX_MESSAGE_BYTES:
            return body
        room = MAX_MESSAGE_BYTES // 5
        error = self.error and self.error.model_copy(update={"detail": cut(self.error.detail, room)})
        short = self.model_copy(
            update={
                "top5": (),
                "name": cut(self.name, room),
                "label": self.label and cut(self.label, room),
                "error": error,
                "worker": cut(self.worker, 64),
                "cut": True,
            }
        )
        return short.to_json()


def answer_to_unreadable(body: str, failure: Failure, worker: str) -> Result | None:
    """The error result for a body that is no `Request`, by the id in it; None when it has none that can be read.

    Of batch and name what can be read is kept; without a batch the image is one of its own.
    """
    try:
        fields = json.loads(body)
        readable = {"id": fields["id"], "batch": fields["id"], "name": ""}
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    extra = {"error": failure.model_dump(mode="json"), "worker": worker}
    for known in (readable | {name: fields[name] for name in readable if name in fields}, readable):
        # By way of JSON, since what a reader could not parse again (a lone surrogate) must not be stored.
        with suppress(ContractError):
            return Result.parse(json.dumps(known | extra))
    return None


def cut(text: str, escaped_bytes: int) -> str:
    """`text`, or its longest start that with `CUT_MARK` takes at most `escaped_bytes` bytes as ASCII-escaped JSON."""
    if _escaped_length(text) <= escaped_bytes:
        return text
    room = escaped_bytes - _escaped_length(CUT_MARK)
    kept: list[str] = []
    for character in text:
        room -= _escaped_length(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept) + CUT_MARK


def new_id() -> str:
    """A time-ordered unique id: a UUID version 7, in its 36-character form.

    48 bits of milliseconds, 12 bits of their fraction (RFC 9562, section 6.2, method 3) and 62 random bits. Ours until
    Python 3.14 has it: the wheel that gave it before ends the process on processors without RDRAND, as many a private
    cloud shows its machines.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = (rest << 12) // 1_000_000
    return str(UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62)))


def result_key(image_id: str) -> str:
    """The key of an image's result object in the out-bucket."""
    return f"{image_id}.json"


def utc_now() -> datetime:
    """The present moment, with its zone."""
    return datetime.now(UTC)


def _escaped_length(text: str) -> int:
    return len(json.dumps(text)) - 2
