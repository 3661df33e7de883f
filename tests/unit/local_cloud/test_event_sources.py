"""Which messages of a batch are deleted."""

import json

import pytest

from local_cloud.backends import ReceivedMessage
from local_cloud.event_sources import processed, queue_event
from local_cloud.lambda_host import Outcome

ARN = "arn:aws:sqs:eu-west-1:123456789012:wake"
BATCH = [ReceivedMessage(str(n), f"handle-{n}", "{}", "md5", {"ApproximateReceiveCount": "1"}) for n in range(3)]


def _report(*ids: str) -> Outcome:
    return Outcome(json.dumps({"batchItemFailures": [{"itemIdentifier": id_} for id_ in ids]}))


@pytest.mark.parametrize(
    ("outcome", "reports", "deleted"),
    [
        (Outcome("null"), False, ["handle-0", "handle-1", "handle-2"]),
        (Outcome("null"), True, ["handle-0", "handle-1", "handle-2"]),
        (Outcome('{"errorType": "X"}', "Unhandled"), False, []),
        (_report("1"), True, ["handle-0", "handle-2"]),
        (_report("1"), False, ["handle-0", "handle-1", "handle-2"]),
        (_report(), True, ["handle-0", "handle-1", "handle-2"]),
        (_report("unknown"), True, []),
        (Outcome('"nonsense"'), True, []),
        (Outcome('{"batchItemFailures": [{}]}'), True, []),
    ],
)
def test_what_a_function_has_not_processed_stays_in_the_queue(
    outcome: Outcome, reports: bool, deleted: list[str]
) -> None:
    assert processed(BATCH, outcome, reports) == deleted


def test_the_event_names_the_queue_and_its_region() -> None:
    (record, *_) = queue_event(BATCH, ARN)["Records"]
    assert (record["eventSource"], record["eventSourceARN"], record["awsRegion"]) == ("aws:sqs", ARN, "eu-west-1")
    assert (record["messageId"], record["receiptHandle"]) == ("0", "handle-0")
