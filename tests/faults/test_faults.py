"""The short form: one run of the whole system with faults and kills; and the parts that can be judged alone."""

import json
from collections import Counter
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.faults.calls import failure, read_call, throttling
from tests.faults.plan import DISK, VICTIMS, Fault, harm, loses_notice, misfortune
from tests.faults.run import run


# Waited for, never measured: what a killed worker held comes back after a minute.
@pytest.mark.timeout(1200)
def test_on_a_bad_day_every_image_is_answered_once_and_nothing_is_left(tmp_path: Path) -> None:
    # This seed fills the disk and kills a web tier and a Lambda. A killed worker's images would come a minute later.
    report = run(seed=221, images=60, kills=3, folder=tmp_path)
    assert not report.wrong, "\n".join(report.wrong)
    assert report.images >= 55
    assert report.faults.total() > 0
    assert report.hits.total() > 0


def test_a_seed_always_means_the_same_faults() -> None:
    def plan(seed: int) -> list[object]:
        calls = [misfortune(seed, "SendMessageBatch", nth) for nth in range(500)]
        return [*calls, *((harm(seed, nth), loses_notice(seed, nth)) for nth in range(20))]

    assert plan(1) == plan(1) != plan(2)


def test_most_calls_are_spared_and_every_fault_befalls_some() -> None:
    actions = ("PutObject", "ReceiveMessage", "DescribeInstances")
    seen = Counter(bad.fault for action in actions for n in range(5000) if (bad := misfortune(3, action, n)))
    assert set(seen) == set(Fault)
    assert seen.total() < 0.15 * 15000


def test_every_victim_is_hit_some_processes_are_frozen_and_some_notices_lost() -> None:
    harms = [harm(5, nth) for nth in range(500)]
    assert {one.victim for one in harms} == set(VICTIMS)
    assert {one.seconds is None for one in harms if one.victim != DISK} == {True, False}
    assert all(one.seconds for one in harms if one.victim == DISK)
    assert {loses_notice(5, nth) for nth in range(20)} == {True, False}


FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
INVOKE = "/2015-03-31/functions/f/invocations"


@pytest.mark.parametrize(
    ("service", "asked", "action"),
    [
        ("s3", ("PUT", "/bucket/key", {}, b"x"), "PutObject"),
        ("s3", ("GET", "/bucket/a/b", {}, b""), "GetObject"),
        ("s3", ("GET", "/bucket?list-type=2", {}, b""), "ListObjects"),
        ("sqs", ("POST", "/", {"X-Amz-Target": "AmazonSQS.ReceiveMessage"}, b"{}"), "ReceiveMessage"),
        ("ec2", ("POST", "/", FORM, b"Action=RunInstances&Version=2016-11-15"), "RunInstances"),
        ("lambda", ("POST", INVOKE, {}, b"{}"), f"POST {INVOKE}"),
    ],
)
def test_a_call_is_read_from_a_signed_request(
    service: str, asked: tuple[str, str, dict[str, str], bytes], action: str
) -> None:
    method, path, headers, body = asked
    request = AWSRequest(method, f"http://127.0.0.1{path}", headers=headers, data=body)
    SigV4Auth(Credentials("key", "secret"), service, "us-east-1").add_auth(request)
    call = read_call(method, path.partition("?")[0], request.headers, body)
    assert (call.service, call.action, call.caller) == (service, action, "key")


def test_a_refusal_is_worded_as_its_service_would() -> None:
    s3 = read_call("PUT", "/b/k", {"Authorization": "AWS4-HMAC-SHA256 Credential=k/1/r/s3/aws4_request"}, b"")
    assert throttling(s3).status == 503
    assert b"<Error><Code>SlowDown</Code>" in throttling(s3).body
    sqs = read_call("POST", "/", {"X-Amz-Target": "AmazonSQS.SendMessage"}, b"{}")
    assert failure(sqs).status == 500
    assert json.loads(failure(sqs).body)["__type"] == "InternalFailure"
