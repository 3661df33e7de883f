"""Our parts on an AWS that is not moto: nothing of ours may depend on one emulator's habits."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from infra.deploy import stack_name
from novaburst.contract import result_key
from tests.e2e.cloud import until
from tests.ministack.deployment import SETTINGS, Deployment
from tests.photos import larger_photos

DAISY = larger_photos()["daisy"]
WAIT = {"wait": "120"}


def images(reply: requests.Response) -> list[dict[str, Any]]:
    assert reply.ok, reply.text
    found: list[dict[str, Any]] = reply.json()["images"]
    return found


def wait_for_evaluation(deployment: Deployment, trigger: str, seconds: float) -> None:
    """Wait until the function of a trigger has logged that it evaluated the fleet."""

    def log() -> str:
        return deployment.judge.log(f"on_{trigger}")

    until(lambda: f'"trigger":"{trigger}"' in log(), seconds, log)


@pytest.mark.usefixtures("worker")
def test_an_upload_is_classified_stored_and_told_and_leaves_no_message(deployment: Deployment, web_tier: str) -> None:
    files = [("files", ("tausendschön.jpg", DAISY.read_bytes())), ("files", ("empty.jpg", b""))]
    reply = requests.post(f"{web_tier}/api/v1/upload", files=files, params=WAIT, timeout=150)
    flower, empty = images(reply)
    assert (flower["name"], flower["label"], empty["error"]["code"]) == ("tausendschön.jpg", "daisy", "empty_file")
    stored = json.loads(deployment.out_bucket.get(result_key(flower["id"])))
    assert (stored["label"], stored["name"]) == ("daisy", "tausendschön.jpg")
    assert deployment.in_bucket.get(flower["id"]) == DAISY.read_bytes()
    for name in (SETTINGS.request_queue, SETTINGS.response_queue):
        until(lambda name=name: not deployment.queue(name).depth().backlog, 60)


@pytest.mark.usefixtures("worker")
def test_a_file_that_goes_straight_to_s3_by_a_form_is_classified(web_tier: str) -> None:
    api = f"{web_tier}/api/v1/batches"
    batch = requests.post(api, timeout=30).json()["batch"]
    expected = {"files": [{"name": "a.jpg", "type": "image/jpeg"}]}
    (form,) = requests.post(f"{api}/{batch}/presigned", json=expected, timeout=30).json()["uploads"]
    sent = requests.post(form["url"], data=form["fields"], files={"file": DAISY.read_bytes()}, timeout=30)
    assert sent.ok, sent.text
    complete = requests.post(f"{api}/{batch}/presigned/complete", json={"ids": [form["id"]]}, timeout=30)
    assert images(complete)[0]["state"] == "pending"
    until(lambda: images(requests.get(f"{api}/{batch}", timeout=30))[0]["label"] == "daisy", 120)


@pytest.mark.usefixtures("worker")
def test_a_deleted_batch_leaves_nothing_in_the_buckets(deployment: Deployment, web_tier: str) -> None:
    reply = requests.post(f"{web_tier}/api/v1/upload", files={"a.jpg": DAISY.read_bytes()}, params=WAIT, timeout=150)
    (image,) = images(reply)
    in_bucket, out_bucket = deployment.in_bucket, deployment.out_bucket
    assert in_bucket.exists(image["id"])
    assert requests.delete(f"{web_tier}/api/v1/batches/{reply.json()['batch']}", timeout=30).status_code in {202, 204}
    until(lambda: not in_bucket.exists(image["id"]) and not out_bucket.exists(result_key(image["id"])), 60)


@pytest.mark.usefixtures("worker")
def test_a_message_that_nobody_can_read_comes_to_the_dead_letter_queue_and_is_shown(deployment: Deployment) -> None:
    assert deployment.queue(SETTINGS.request_queue).send(["no request"]) == []
    until(lambda: deployment.queue(SETTINGS.dead_letter_queue).depth().visible == 1, 120)
    novaburst = Path(sys.executable).with_name("novaburst")
    shown = subprocess.run(
        [novaburst, "dlq", "list"], env=deployment.environment, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert "no request" in shown.stdout


def test_an_upload_wakes_the_lambda_which_launches(deployment: Deployment, web_tier: str) -> None:
    requests.post(f"{web_tier}/api/v1/upload", files={"a.jpg": DAISY.read_bytes()}, timeout=60)
    wait_for_evaluation(deployment, "wake", 120)


def test_a_notice_of_the_alarms_topic_reaches_the_lambda(deployment: Deployment) -> None:
    # With all that it may hold: ministack leaves out what is empty, and Chalice reads it.
    deployment.judge.client("sns").publish(
        TopicArn=deployment.outputs["AlarmTopicArn"],
        Subject="ALARM",
        Message="{}",
        MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}},
    )
    wait_for_evaluation(deployment, "alarm", 120)


def test_a_person_can_ask_the_lambda(deployment: Deployment) -> None:
    reply = deployment.judge.client("lambda").invoke(
        FunctionName="novaburst-scaling-local-on_request", Payload='{"workers": 1, "dry_run": true}'
    )
    report = json.loads(reply["Payload"].read())
    assert report["plan"]["want"] >= 1, report


def test_the_schedule_fires_by_itself(deployment: Deployment) -> None:
    wait_for_evaluation(deployment, "schedule", 150)


def test_lambda_and_stack_are_deleted_with_all_that_they_had(deployment: Deployment) -> None:
    # The last test: there is nothing for another one afterwards.
    functions, events = deployment.judge.client("lambda"), deployment.judge.client("events")
    chalice = [Path(sys.executable).with_name("chalice"), "delete", "--stage", "local"]
    deleted = subprocess.run(
        chalice, cwd=deployment.staged, env=deployment.environment, capture_output=True, text=True, check=False
    )
    assert deleted.returncode == 0, deleted.stdout + deleted.stderr
    assert functions.list_functions()["Functions"] == []
    assert functions.list_event_source_mappings()["EventSourceMappings"] == []
    assert events.list_rules()["Rules"] == []
    stacks = deployment.judge.client("cloudformation")
    for bucket in (deployment.in_bucket, deployment.out_bucket):
        bucket.delete(list(bucket.keys()))
    stacks.delete_stack(StackName=stack_name(SETTINGS.prefix))
    stacks.get_waiter("stack_delete_complete").wait(
        StackName=stack_name(SETTINGS.prefix), WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    assert not deployment.judge.client("s3").list_buckets()["Buckets"]
    assert not deployment.judge.client("sqs").list_queues().get("QueueUrls")
