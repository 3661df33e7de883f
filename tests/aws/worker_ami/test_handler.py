"""Every message gets an answer that is stored before the message goes, or goes back to the queue."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from novaburst.bounds import MAX_RECEIVE_COUNT, MAX_RESULT_BYTES, POISON_RECEIVE_COUNT
from novaburst.contract import Failure, Request, Result, result_key, utc_now
from novaburst.error_codes import ErrorCode
from novaburst.queues import Received
from tests.aws.worker_ami.conftest import WORKER, Deployment
from tests.odd_messages import BODIES, near
from tests.photos import larger_photos
from worker_ami.worker.classifier import Classified, Classifier
from worker_ami.worker.handler import Answered, GivenBack, Handler
from worker_ami.worker.isolation import IsolationError


def answered(outcome: Answered | GivenBack) -> Result:
    assert isinstance(outcome, Answered)
    return Result.parse(outcome.notice)


def message(body: str, receive_count: int = 1) -> Received:
    return Received("m", body, "receipt", receive_count, 0)


def test_a_photo_is_answered_with_its_label_and_the_result_is_stored(deployment: Deployment, handler: Handler) -> None:
    request = deployment.ask(larger_photos()["daisy"].read_bytes(), name="flöwer.jpg")
    result = answered(handler.handle(deployment.take()))
    assert result == deployment.result(request)
    assert (result.id, result.batch, result.name, result.worker) == (request.id, "batch-1", "flöwer.jpg", WORKER)
    assert (result.label, result.error) == ("daisy", None)
    assert result.score == result.top5[0].score
    assert len(result.top5) == 5
    assert all(milliseconds > 0 for milliseconds in result.ms.model_dump().values())


@pytest.mark.parametrize("name", ["espresso.jpg", "espresso.txt", "espresso"])
def test_what_an_image_is_its_bytes_say_and_not_its_name(deployment: Deployment, handler: Handler, name: str) -> None:
    deployment.ask(larger_photos()["espresso"].read_bytes(), name=name)
    assert answered(handler.handle(deployment.take())).label == "espresso"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", ErrorCode.EMPTY_FILE),
        (b"some text", ErrorCode.NOT_AN_IMAGE),
        (larger_photos()["palace"].read_bytes()[:5000], ErrorCode.DAMAGED_IMAGE),
        (None, ErrorCode.OBJECT_MISSING),
    ],
)
def test_what_cannot_be_classified_is_answered_with_its_code(
    deployment: Deployment, handler: Handler, content: bytes | None, code: ErrorCode
) -> None:
    request = deployment.ask(content)
    result = answered(handler.handle(deployment.take()))
    assert result.error is not None
    assert result.error.code is code
    assert deployment.result(request) == result


def test_a_file_over_the_limit_is_not_even_fetched(deployment: Deployment, new_handler: Callable[..., Handler]) -> None:
    deployment.ask(bytes(101))
    result = answered(new_handler(max_bytes=100).handle(deployment.take()))
    assert result.error is not None
    assert result.error.code is ErrorCode.TOO_LARGE


def test_a_bucket_that_is_not_the_fleet_s_own_is_not_read(deployment: Deployment, handler: Handler) -> None:
    boto3.client("s3").create_bucket(Bucket="someone-elses")
    deployment.ask(larger_photos()["daisy"].read_bytes(), bucket="someone-elses")
    result = answered(handler.handle(deployment.take()))
    assert result.error is not None
    assert result.error.code is ErrorCode.OBJECT_MISSING


def test_a_message_that_was_answered_before_is_not_classified_again(
    deployment: Deployment, new_handler: Callable[..., Handler]
) -> None:
    request = deployment.ask(larger_photos()["daisy"].read_bytes())
    received = deployment.take()
    first = new_handler().handle(received)
    again = new_handler(_Never()).handle(replace(received, receive_count=2))
    assert again == replace(first, received=replace(received, receive_count=2))
    assert deployment.result(request).label == "daisy"


def test_a_redelivered_message_without_a_result_is_classified(deployment: Deployment, handler: Handler) -> None:
    deployment.ask(larger_photos()["daisy"].read_bytes())
    assert answered(handler.handle(replace(deployment.take(), receive_count=2))).label == "daisy"


def test_an_image_that_was_delivered_before_never_meets_the_worker_s_own_process_again(
    deployment: Deployment, new_handler: Callable[..., Handler], classifier: Classifier
) -> None:
    deployment.ask(larger_photos()["daisy"].read_bytes())
    received = deployment.take()
    handler = new_handler(_Never(), suspects=classifier)
    assert answered(handler.handle(replace(received, receive_count=2))).label == "daisy"


@pytest.mark.parametrize(("receive_count", "error"), [(1, MemoryError()), (2, IsolationError("no child"))])
def test_an_image_on_which_there_is_no_verdict_yet_is_given_back(
    deployment: Deployment, new_handler: Callable[..., Handler], receive_count: int, error: Exception
) -> None:
    request = deployment.ask(larger_photos()["daisy"].read_bytes())
    received = replace(deployment.take(), receive_count=receive_count)
    failing = _Failing(error)
    assert isinstance(new_handler(failing, suspects=failing).handle(received), GivenBack)
    assert not deployment.out_bucket.exists(result_key(request.id))


@pytest.mark.parametrize("too_long", [False, True])
def test_a_result_object_that_cannot_be_read_is_written_again(
    deployment: Deployment, handler: Handler, too_long: bool
) -> None:
    request = deployment.ask(larger_photos()["daisy"].read_bytes())
    long = Result(id=request.id, batch="b", name="x" * MAX_RESULT_BYTES, label="cat", score=1, worker="i-1")
    deployment.out_bucket.put(result_key(request.id), long.to_json().encode() if too_long else b"{")
    assert answered(handler.handle(replace(deployment.take(), receive_count=2))).label == "daisy"
    assert deployment.result(request).label == "daisy"


def test_an_image_that_was_beside_poison_again_and_again_is_not_taken_for_it(
    deployment: Deployment, handler: Handler
) -> None:
    deployment.ask(larger_photos()["daisy"].read_bytes())
    received = replace(deployment.take(), receive_count=MAX_RECEIVE_COUNT - 1)
    assert answered(handler.handle(received)).label == "daisy"


def test_an_image_on_which_there_never_was_a_verdict_is_answered_with_an_error(
    deployment: Deployment, new_handler: Callable[..., Handler]
) -> None:
    request = deployment.ask(larger_photos()["daisy"].read_bytes())
    received = replace(deployment.take(), receive_count=POISON_RECEIVE_COUNT)
    result = answered(new_handler(suspects=_Failing(IsolationError("killed"))).handle(received))
    assert result.error == Failure(code=ErrorCode.WORKER_CRASHED, detail="taken 5 times and never answered")
    assert deployment.result(request) == result


def test_a_message_at_its_last_delivery_is_answered_unseen(
    deployment: Deployment, new_handler: Callable[..., Handler]
) -> None:
    request = deployment.ask(larger_photos()["daisy"].read_bytes())
    received = replace(deployment.take(), receive_count=MAX_RECEIVE_COUNT)
    result = answered(new_handler(_Never(), suspects=_Never()).handle(received))
    assert result.error == Failure(code=ErrorCode.WORKER_CRASHED, detail="taken 8 times and never answered")
    assert deployment.result(request) == result


def test_a_late_message_whose_result_is_stored_keeps_its_label(deployment: Deployment, handler: Handler) -> None:
    deployment.ask(larger_photos()["daisy"].read_bytes())
    received = deployment.take()
    handler.handle(received)
    assert answered(handler.handle(replace(received, receive_count=MAX_RECEIVE_COUNT))).label == "daisy"


def test_an_unexpected_error_is_answered_and_does_not_end_the_worker(
    deployment: Deployment, new_handler: Callable[..., Handler]
) -> None:
    deployment.ask(larger_photos()["daisy"].read_bytes())
    result = answered(new_handler(_Never()).handle(deployment.take()))
    assert result.error == Failure(code=ErrorCode.INTERNAL_ERROR, detail="ZeroDivisionError")


def test_without_its_buckets_a_message_is_given_back_each_time_for_longer(
    deployment: Deployment, handler: Handler
) -> None:
    deployment.ask(None)
    received = deployment.take()
    boto3.client("s3").delete_bucket(Bucket=deployment.out_bucket.name)
    assert handler.handle(received) == GivenBack(received, 5)
    thrice = replace(received, receive_count=3)
    assert handler.handle(thrice) == GivenBack(thrice, 45)


@pytest.mark.parametrize(
    "fields",
    [
        {"v": 2},
        {"batch": 5},
        {"name": None},
        {"name": "\ud800"},
        {"sent": "yesterday"},
        {"key": ""},
    ],
)
def test_a_body_of_which_only_the_id_is_readable_is_answered_under_that_id(
    deployment: Deployment, handler: Handler, fields: dict[str, object]
) -> None:
    request = Request(id="image-1", batch="batch-1", bucket="b-b", key="k", name="n", sent=utc_now())
    body = json.dumps(request.model_dump(mode="json") | fields)
    result = answered(handler.handle(message(body)))
    assert result.id == "image-1"
    assert result.error is not None
    assert result.error.code is ErrorCode.INTERNAL_ERROR
    assert deployment.result(request).error is not None


@pytest.mark.parametrize("body", ["", "hello", "[1]", "null", '{"v":1}', '{"id":"../x"}', '{"id":7}', "[" * 1000])
def test_a_body_without_a_readable_id_is_left_to_the_dead_letter_queue(handler: Handler, body: str) -> None:
    received = message(body)
    assert handler.handle(received) == GivenBack(received, 0)


def test_a_request_without_a_time_zone_is_read_as_utc(deployment: Deployment, handler: Handler) -> None:
    request = Request(
        id="image-2",
        batch="b",
        bucket=deployment.in_bucket.name,
        key="image-2",
        name="n",
        sent=utc_now().replace(tzinfo=None),
    )
    deployment.in_bucket.put("image-2", larger_photos()["daisy"].read_bytes())
    assert answered(handler.handle(message(request.to_message()))).label == "daisy"


NO_OBJECT = Request(
    id="a", batch="b", bucket="novatest-in-bucket", key="none", name="n", sent=datetime(2026, 1, 1, tzinfo=UTC)
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BODIES | near(NO_OBJECT), st.integers(1, MAX_RECEIVE_COUNT))
def test_no_body_whatever_ends_the_worker_and_none_is_left_unanswered_without_a_word(
    deployment: Deployment, handler: Handler, caplog: pytest.LogCaptureFixture, body: str, deliveries: int
) -> None:
    caplog.clear()
    outcome = handler.handle(replace(message(body), receive_count=deliveries))
    if isinstance(outcome, Answered):
        told = Result.parse(outcome.notice)
        assert Result.parse(deployment.out_bucket.get(result_key(told.id))).error is not None
    else:
        assert [record.levelno >= logging.WARNING for record in caplog.records] == [True]


class _Failing(Classifier):
    """A classifier that raises always the same."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def classify(self, data: bytes) -> Classified:
        raise self._error


class _Never(Classifier):
    """A classifier that must not be reached, or that fails as no classifier should."""

    def __init__(self) -> None:
        """Nothing to load."""

    def classify(self, data: bytes) -> Classified:
        raise ZeroDivisionError
