"""What lies in the dead-letter queue, and what becomes of it: plain values, and decisions that ask nobody anything."""

from dataclasses import dataclass
from enum import StrEnum

from novaburst.contract import ContractError, Failure, Request, Result, answer_to_unreadable
from novaburst.error_codes import ErrorCode
from novaburst.queues import Received

# What stands for the worker in an answer that an operator has given.
WORKER = "operator"


@dataclass(frozen=True)
class Letter:
    """One message of the dead-letter queue."""

    received: Received
    # What it asks for, or None when it cannot be read as a request; then `fault` says why.
    request: Request | None
    fault: str | None = None
    # The id of its image, which may be readable when the rest is not.
    image: str | None = None


@dataclass(frozen=True)
class Facts:
    """What the buckets say of a letter's image."""

    # Its result, if it has one that can be read.
    answer: Result | None = None
    # Why its result object cannot be read, if it has such a one.
    unread_answer: str | None = None
    # Whether the image itself lies in the in-bucket; None when the letter does not say where it lies.
    stored: bool | None = None


class What(StrEnum):
    """What becomes of a letter. Whatever leaves the queue is deleted there last."""

    SEND_BACK = "send back"
    # It has a result already: the response queue is told of it again.
    TELL = "tell"
    ANSWER = "answer"
    LEAVE = "leave"


@dataclass(frozen=True)
class Step:
    """One letter's part of a plan, with the reason; `result` is what is told or stored."""

    letter: Letter
    what: What
    why: str
    result: Result | None = None


def read(received: Received) -> Letter:
    """A message as a letter, whatever its body is."""
    try:
        request = Request.parse(received.body)
    except ContractError as error:
        known = answer_to_unreadable(received.body, Failure(code=ErrorCode.INTERNAL_ERROR), WORKER)
        return Letter(received, None, str(error), known.id if known else None)
    return Letter(received, request, image=request.id)


def why(letter: Letter, facts: Facts) -> str:
    """Why a letter lies in the dead-letter queue, as far as can be told from it and the buckets."""
    if letter.request is None:
        return letter.fault or "not readable"
    if facts.answer is not None:
        return "it has its answer; the worker ended before it deleted the request"
    if facts.unread_answer is not None:
        return f"its answer cannot be read: {facts.unread_answer}"
    if facts.stored is False:
        return "its image is not in the in-bucket, and no worker has answered it"
    return "its workers ended or failed each time, before they could answer it"


def plan_redrive(letter: Letter, facts: Facts) -> Step:
    """Send back what a worker can read and fetch and has not answered yet; the rest would only come again."""
    if (settled := _settled(letter, facts)) is not None:
        return settled
    if letter.request is None:
        return Step(letter, What.LEAVE, f"no worker could read it: {letter.fault}")
    if facts.stored is False:
        return Step(letter, What.LEAVE, "its image is not in the in-bucket: answer it")
    return Step(letter, What.SEND_BACK, "it is unanswered and its image is there")


def plan_answer(letter: Letter, facts: Facts, detail: str = "", *, worker: str = WORKER) -> Step:
    """Answer with an error whatever has an id and no result yet; `detail` is said instead of the reason seen here."""
    if (settled := _settled(letter, facts)) is not None:
        return settled
    request = letter.request
    if request is None:
        said = detail or f"the request could not be read: {letter.fault}"
        failure = Failure(code=ErrorCode.INTERNAL_ERROR, detail=said)
        result = answer_to_unreadable(letter.received.body, failure, worker)
        if result is None:
            return Step(letter, What.LEAVE, f"it has no id to answer: {letter.fault}")
    else:
        code = ErrorCode.OBJECT_MISSING if facts.stored is False else ErrorCode.WORKER_CRASHED
        failure = Failure(code=code, detail=detail or "no worker could answer it")
        result = Result(id=request.id, batch=request.batch, name=request.name, error=failure, worker=worker)
    return Step(letter, What.ANSWER, f"{failure.code}: {failure.detail}", result)


def _settled(letter: Letter, facts: Facts) -> Step | None:
    """The step for an image whose result lies in the out-bucket, which nothing may overwrite."""
    if facts.answer is not None:
        return Step(letter, What.TELL, "it has its answer already", facts.answer)
    if facts.unread_answer is not None:
        return Step(letter, What.LEAVE, f"its answer is there and cannot be read: {facts.unread_answer}")
    return None
