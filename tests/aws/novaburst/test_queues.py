"""The SQS module against moto."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from novaburst.aws import prompt_sqs_client, sqs_client
from novaburst.bounds import LONG_POLL_SECONDS
from novaburst.queues import Queue, QueueAttributesError, Received
from novaburst.replies import ReplyError
from novaburst.settings import Settings


def test_twenty_five_messages_are_sent_received_and_deleted_in_batches(aws: Settings) -> None:
    queue = Queue(sqs_client(), aws.request_queue)
    assert queue.send([f"m{n}" for n in range(25)]) == []
    assert queue.depth().visible == 25
    seen = []
    while messages := queue.receive(wait_seconds=0):
        seen += messages
        assert queue.depth().in_flight == len(messages)
        assert queue.delete(messages) == []
    assert sorted(m.body for m in seen) == sorted(f"m{n}" for n in range(25))
    assert {m.receive_count for m in seen} == {1}
    assert queue.depth().backlog == 0


def test_what_an_answer_does_not_say_was_taken_was_not_sent(aws: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty body with status 200 comes out of boto3 as an answer without members."""
    client = sqs_client()
    queue = Queue(client, aws.request_queue)
    monkeypatch.setattr(client, "send_message_batch", lambda **_: {"ResponseMetadata": {"HTTPStatusCode": 200}})
    assert queue.send([f"m{n}" for n in range(12)]) == list(range(12))


@pytest.mark.parametrize("odd", [{}, {"Failed": [None]}, {"Failed": [{}]}, {"Successful": [{"Id": "1"}]}])
def test_what_an_answer_does_not_say_was_deleted_or_hidden_is_a_failure(
    aws: Settings, monkeypatch: pytest.MonkeyPatch, odd: dict[str, Any]
) -> None:
    client = sqs_client()
    queue = Queue(client, aws.request_queue)
    queue.send(["one"])
    taken = queue.receive(wait_seconds=0)
    for operation in ("delete_message_batch", "change_message_visibility_batch"):
        monkeypatch.setattr(client, operation, lambda **_: odd)
    with pytest.raises(ReplyError):
        queue.delete(taken)
    with pytest.raises(ReplyError):
        queue.set_visibility(taken, 0)


@pytest.mark.parametrize("odd", [None, {}, {"MessageId": "m", "Body": "b", "ReceiptHandle": "r"}])
def test_a_message_in_another_form_is_a_failure(aws: Settings, monkeypatch: pytest.MonkeyPatch, odd: Any) -> None:
    client = sqs_client()
    queue = Queue(client, aws.request_queue)
    monkeypatch.setattr(client, "receive_message", lambda **_: {"Messages": [odd]})
    with pytest.raises(ReplyError):
        queue.receive(wait_seconds=0)


def test_an_answer_without_the_queues_address_or_with_odd_entries_is_a_failure(
    aws: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = sqs_client()
    queue = Queue(client, aws.request_queue)
    monkeypatch.setattr(client, "send_message_batch", lambda **_: {"Successful": [None]})
    monkeypatch.setattr(client, "get_queue_attributes", lambda **_: {"Attributes": None})
    monkeypatch.setattr(client, "get_queue_url", lambda **_: {})
    with pytest.raises(ReplyError):
        queue.send(["one"])
    with pytest.raises(QueueAttributesError):
        queue.depth()
    with pytest.raises(ReplyError):
        Queue(client, aws.request_queue)


def test_a_message_given_back_is_received_again_at_once_with_its_count(aws: Settings) -> None:
    queue = Queue(sqs_client(), aws.request_queue)
    queue.send(["one"])
    taken = queue.receive(wait_seconds=0)
    assert queue.receive(wait_seconds=0) == []
    assert queue.set_visibility(taken, 0) == []
    again = queue.receive(wait_seconds=0)
    assert [m.receive_count for m in again] == [2]


def test_a_taker_can_say_how_long_its_messages_are_hidden(aws: Settings) -> None:
    queue = Queue(sqs_client(), aws.request_queue)
    queue.send(["one"])
    assert len(queue.receive(wait_seconds=0, hide_seconds=0)) == 1
    assert len(queue.receive(wait_seconds=0)) == 1
    assert queue.receive(wait_seconds=0) == []


def test_an_expired_receipt_is_returned_and_harms_no_other(aws: Settings) -> None:
    queue = Queue(sqs_client(), aws.request_queue)
    queue.send(["one", "two"])
    first, second = queue.receive(wait_seconds=0)
    queue.delete([first])
    assert queue.set_visibility([first, second], 30) == [first]


def test_a_failure_of_sqs_is_no_expired_receipt(aws: Settings) -> None:
    client = boto3.client("sqs")
    queue = Queue(client, aws.request_queue)
    with Stubber(client) as stub:
        failed = [
            {"Id": "0", "SenderFault": False, "Code": "InternalError"},
            {"Id": "1", "SenderFault": True, "Code": "ReceiptHandleIsInvalid"},
        ]
        stub.add_response("change_message_visibility_batch", {"Successful": [], "Failed": failed})
        assert queue.set_visibility(received(2), 30) == received(2)[1:]


def test_a_throttled_call_keeps_no_other_message_from_being_hidden(aws: Settings) -> None:
    client = boto3.client("sqs")
    queue = Queue(client, aws.request_queue)
    with Stubber(client) as stub:
        stub.add_client_error("change_message_visibility_batch", "RequestThrottled", http_status_code=403)
        for count in (10, 5):
            done = [{"Id": str(number)} for number in range(count)]
            stub.add_response("change_message_visibility_batch", {"Successful": done, "Failed": []})
        with pytest.raises(ClientError, match="RequestThrottled"):
            queue.set_visibility(received(25), 30)
        stub.assert_no_pending_responses()


def received(number: int) -> list[Received]:
    return [Received(f"m{n}", "{}", f"receipt {n}", 1, 0) for n in range(number)]


def test_a_count_that_sqs_leaves_out_is_an_error_and_not_zero(aws: Settings) -> None:
    client = boto3.client("sqs")
    queue = Queue(client, aws.request_queue)
    with Stubber(client) as stub:
        stub.add_response("get_queue_attributes", {"Attributes": {"ApproximateNumberOfMessages": "0"}})
        with pytest.raises(QueueAttributesError, match="NotVisible"):
            queue.depth()


def test_a_client_that_people_wait_for_gives_up_within_20_seconds(aws: Settings) -> None:
    chosen = prompt_sqs_client().meta.config
    assert chosen.read_timeout * chosen.retries["total_max_attempts"] <= 20
    assert sqs_client().meta.config.read_timeout > LONG_POLL_SECONDS
