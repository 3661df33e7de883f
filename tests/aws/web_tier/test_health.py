import time

import boto3
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.aws.web_tier.conftest import Fleet
from web_tier.deployment import Deployment
from web_tier.settings import WebSettings
from web_tier.skew import Skew
from web_tier.tier import tier_of

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def test_a_person_sees_the_upload_page_and_nothing_is_fetched_from_elsewhere(client: FlaskClient) -> None:
    reply = client.get("/", headers=BROWSER)
    assert (reply.status_code, reply.mimetype) == (200, "text/html")
    assert "What is in your photos?" in reply.text
    assert "http://" not in reply.text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in reply.text
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    for asset in ("page.js", "base.css", "start.css", "batch.css", "fleet.css", "icon.svg"):
        assert f"/static/{asset}" in reply.text
        with client.get(f"/static/{asset}") as file:
            assert file.status_code == 200


def test_a_program_sees_the_servers_status_as_json_or_text(client: FlaskClient) -> None:
    assert client.get("/", headers={"Accept": "application/json"}).json["status"] == "ok"
    text = client.get("/", headers={"Accept": "text/plain"})
    assert text.mimetype == "text/plain"
    assert "request queue: 0 visible, 0 in flight" in text.text


def test_the_status_tells_depths_counts_and_recent_results_but_no_addresses(
    client: FlaskClient, working_fleet: Fleet
) -> None:
    client.post("/?name=cat.jpg", data=b"label:cat", content_type="image/jpeg")
    status = client.get("/api/v1/status").json
    assert status["queues"]["request"].keys() == {"visible", "in_flight", "delayed"}
    assert status["images"] == {"total": 1, "done": 1, "failed": 0, "pending": 0}
    [recent] = status["recent"]
    assert (recent["name"], recent["label"]) == ("cat.jpg", "cat")
    assert not {"id", "batch"} & recent.keys()


def test_the_status_says_when_the_queues_cannot_be_reached(client: FlaskClient, deployment: Deployment) -> None:
    boto3.client("sqs").delete_queue(QueueUrl=deployment.request_queue.url)
    status = client.get("/api/v1/status").json
    assert (status["status"], status["queues"]) == ("degraded", None)
    assert "cannot be reached" in status["reason"]


NEEDED = ["clock", "credentials", "store", "in-bucket", "out-bucket", "request-queue", "response-queue"]


def test_live_and_ready_are_said(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok"}
    ready = client.get("/readyz").json
    assert ready["status"] == "ready"
    assert [(check["name"], check["state"]) for check in ready["checks"]] == [(name, "ok") for name in NEEDED]
    assert client.head("/healthz").status_code == 200


def failed(reply: TestResponse) -> list[str]:
    assert reply.status_code == 503
    return [check["name"] for check in reply.json["checks"] if check["state"] == "failed"]


def test_not_ready_names_each_part_that_cannot_be_reached_and_live_stays_live(
    client: FlaskClient, deployment: Deployment, settings: WebSettings
) -> None:
    boto3.client("sqs").delete_queue(QueueUrl=deployment.request_queue.url)
    reply = client.get("/readyz")
    assert reply.status_code == 503
    assert failed(reply) == ["request-queue"]
    assert "request-queue: AWS says" in reply.json["detail"]
    assert "novaburst deploy" in reply.json["detail"]
    assert client.get("/healthz").status_code == 200


def test_a_bucket_that_is_not_there_is_missed_and_not_taken_for_an_empty_one(
    client: FlaskClient, settings: WebSettings
) -> None:
    boto3.client("s3").delete_bucket(Bucket=settings.out_bucket)
    assert failed(client.get("/readyz")) == ["out-bucket"]


@pytest.mark.parametrize(
    ("ahead", "status", "state"), [(200, 200, "warning"), (400, 503, "failed"), (-400, 503, "failed")]
)
def test_a_clock_that_drifts_is_said_before_aws_refuses_it(
    app: Flask, monkeypatch: pytest.MonkeyPatch, ahead: int, status: int, state: str
) -> None:
    skew, sqs = Skew(clock=lambda: time.time() + ahead), boto3.client("sqs")
    skew.watch(sqs)
    sqs.list_queues()
    monkeypatch.setattr(tier_of(app).deployment, "skew", skew)
    reply = app.test_client().get("/readyz")
    assert reply.status_code == status
    [clock] = [check for check in reply.json["checks"] if check["name"] == "clock"]
    assert clock["state"] == state
    assert "set-ntp" in clock["remedy"]


def test_a_person_who_follows_a_wrong_address_reads_what_to_do(client: FlaskClient) -> None:
    for address in ("/batches/none", "/nothing/here"):
        reply = client.get(address, headers=BROWSER)
        assert (reply.status_code, reply.mimetype) == (404, "text/html")
        assert "Start a new batch" in reply.text


def test_an_unexpected_error_is_logged_and_answered_as_a_problem(
    client: FlaskClient, app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/broken")
    def broken() -> str:
        raise ZeroDivisionError

    reply = client.get("/broken", headers={"Accept": "application/json"})
    assert (reply.status_code, reply.mimetype) == (500, "application/problem+json")
    assert reply.json["code"] == "internal_error"
    assert "GET /broken failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_the_status_counts_the_fleets_own_instances_by_state(client: FlaskClient, settings: WebSettings) -> None:
    ec2 = boto3.client("ec2")

    def launch(fleet: str, count: int) -> list[str]:
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "novaburst:fleet", "Value": fleet}]}]
        launched = ec2.run_instances(ImageId="ami-12c6146b", MinCount=count, MaxCount=count, TagSpecifications=tags)
        return [instance["InstanceId"] for instance in launched["Instances"]]

    first, second, _ = launch(settings.prefix, 3)
    launch("another", 2)
    ec2.terminate_instances(InstanceIds=[first])
    ec2.create_tags(Resources=[second], Tags=[{"Key": "novaburst:leave", "Value": "2026-11-25T12:00:00+00:00"}])
    assert client.get("/api/v1/status").json["fleet"] == {"leaving": 1, "running": 1}
