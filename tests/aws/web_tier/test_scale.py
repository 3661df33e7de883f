"""The manual trigger: through the Lambda, and by the web tier itself on the day when the Lambda is broken."""

import hashlib
import importlib
import io
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.response import StreamingBody
from flask.testing import FlaskClient

from web_tier.settings import WebSettings

TOKEN = "correct-horse-battery-staple"
BEARER = {"Authorization": f"Bearer {TOKEN}"}

# Answers one invocation: takes the event, returns the report or raises.
Function = Callable[[dict[str, Any]], Any]


@pytest.fixture
def settings(settings: WebSettings, function: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> WebSettings:
    """The web tier's; the stand-in is there before any client, since clients copy the session's hooks when made."""
    monkeypatch.setenv("NOVABURST_MAX_WORKERS", "4")
    return settings.model_copy(update={"scale_token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest()})


@pytest.fixture
def ec2(settings: WebSettings) -> Any:
    client = boto3.client("ec2")
    tags = [{"Key": "novaburst:fleet", "Value": settings.prefix}]
    client.create_launch_template(
        LaunchTemplateName=f"{settings.prefix}-worker",
        LaunchTemplateData={
            "ImageId": "ami-12c6146b",
            "InstanceType": "c6i.large",
            "TagSpecifications": [{"ResourceType": "instance", "Tags": tags}],
        },
    )
    return client


@pytest.fixture
def function(session: boto3.Session) -> Iterator[dict[str, Any]]:
    """Stands in for Lambda: `answer` is called with the event of each invocation, `events` keeps them."""
    state: dict[str, Any] = {"answer": None, "events": [], "names": []}

    def invoke(params: Any, **_: object) -> Any:
        event = json.loads(params["body"])
        state["events"].append(event)
        state["names"].append(params["url_path"])
        body: dict[str, Any] = {"StatusCode": 200}
        try:
            answer = state["answer"](event)
        except ValueError as error:
            answer = {"errorType": "ValueError", "errorMessage": str(error)}
            body["FunctionError"] = "Unhandled"
        text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        body["Payload"] = StreamingBody(io.BytesIO(text), len(text))
        return AWSResponse("", 200, {}, None), body

    events = session.events
    events.register("before-call.lambda.Invoke", invoke)
    yield state
    events.unregister("before-call.lambda.Invoke", invoke)


@pytest.fixture
def healthy(function: dict[str, Any], settings: WebSettings, ec2: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The Lambda's own handler answers."""
    monkeypatch.setenv("NOVABURST_PREFIX", settings.prefix)
    sys.modules.pop("scaling_lambda.handlers", None)
    handlers = importlib.import_module("scaling_lambda.handlers")
    handlers.log.registered_handler.stream = sys.stdout
    function["answer"] = lambda event: handlers.on_request(event, None)
    yield function
    sys.modules.pop("scaling_lambda.handlers", None)


def failing(error: Exception) -> Function:
    def answer(event: dict[str, Any]) -> Any:
        raise error

    return answer


def refused(code: str) -> Function:
    return failing(ClientError({"Error": {"Code": code, "Message": "as AWS says"}}, "Invoke"))


def instances(ec2: Any) -> list[str]:
    pages = ec2.describe_instances()["Reservations"]
    return [instance["InstanceId"] for page in pages for instance in page["Instances"]]


def scale(client: FlaskClient, body: object = None, **headers: str) -> Any:
    return client.post("/api/v1/scale", json={} if body is None else body, headers=BEARER | headers)


def test_the_lambda_is_asked_and_its_report_is_the_answer(client: FlaskClient, healthy: Any, ec2: Any) -> None:
    reply = scale(client, {"workers": 3})
    assert reply.status_code == 200
    answer = reply.json
    assert (answer["via"], answer["lambda_failure"]) == ("lambda", None)
    assert answer["plan"]["launch"] == 3
    # moto launches one instance a call.
    assert answer["outcome"]["launched"] == instances(ec2)
    assert healthy["events"] == [{"workers": 3, "dry_run": False}]
    assert "novaburst-scaling-prod-on_request" in healthy["names"][0]


def test_an_empty_request_means_evaluate_now(client: FlaskClient, healthy: Any, ec2: Any) -> None:
    assert scale(client).json["plan"]["launch"] == 0
    assert client.post("/api/v1/scale", headers=BEARER).status_code == 200
    assert healthy["events"] == [{"workers": 0, "dry_run": False}] * 2


@pytest.mark.parametrize("broken", [False, True])
def test_a_dry_run_changes_nothing_whichever_way_it_goes(
    client: FlaskClient, healthy: Any, ec2: Any, broken: bool
) -> None:
    if broken:
        healthy["answer"] = refused("ServiceException")
    answer = scale(client, {"workers": 2, "dry_run": True}).json
    assert answer["via"] == ("web_tier" if broken else "lambda")
    assert answer["plan"]["launch"] == 2
    assert answer["outcome"]["launched"] == []
    assert instances(ec2) == []
    assert client.get("/api/v1/fleet").json["evaluations"] == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (refused("ResourceNotFoundException"), "ResourceNotFoundException"),
        (refused("AccessDeniedException"), "AccessDeniedException"),
        (refused("TooManyRequestsException"), "TooManyRequestsException"),
        (failing(ReadTimeoutError(endpoint_url="http://lambda")), "Read timeout"),
        (failing(ValueError("no such queue")), "it raised ValueError: no such queue"),
        (lambda event: None, "its answer is not a report"),
        (lambda event: {"plan": {}}, "its answer is not a report"),
        (lambda event: b"<html>", "its answer is not JSON"),
        (
            lambda event: {"observed": {}, "plan": {}, "outcome": {"failures": ["launch of 3: UnauthorizedOperation"]}},
            "launch of 3: UnauthorizedOperation",
        ),
    ],
)
def test_a_lambda_that_fails_is_replaced_by_the_web_tier_which_says_why(
    client: FlaskClient, function: dict[str, Any], ec2: Any, answer: Function, why: str
) -> None:
    function["answer"] = answer
    reply = scale(client, {"workers": 1})
    assert reply.status_code == 200
    assert reply.json["via"] == "web_tier"
    assert why in reply.json["lambda_failure"]
    assert reply.json["outcome"]["launched"] == instances(ec2)
    assert len(function["events"]) == 1


def test_the_fallback_is_clamped_like_the_lambda(client: FlaskClient, function: dict[str, Any], ec2: Any) -> None:
    function["answer"] = refused("ServiceException")
    plan = scale(client, {"workers": 500, "dry_run": True}).json["plan"]
    assert (plan["want"], plan["launch"]) == (4, 4)


def test_the_web_tier_and_the_lambda_decide_the_same(client: FlaskClient, healthy: Any, ec2: Any) -> None:
    answers = [scale(client, {"workers": 3, "dry_run": True}).json]
    healthy["answer"] = refused("ServiceException")
    answers.append(scale(client, {"workers": 3, "dry_run": True}).json)
    assert [answer["via"] for answer in answers] == ["lambda", "web_tier"]
    assert answers[0]["plan"] == answers[1]["plan"]


def test_when_both_fail_both_reasons_are_said(
    client: FlaskClient, function: dict[str, Any], ec2: Any, settings: WebSettings
) -> None:
    function["answer"] = refused("TooManyRequestsException")
    sqs = boto3.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=settings.request_queue)["QueueUrl"])
    reply = scale(client)
    assert (reply.status_code, reply.mimetype) == (503, "application/problem+json")
    assert "TooManyRequestsException" in reply.json["detail"]
    assert "NonExistentQueue" in reply.json["detail"]


def test_without_a_configured_token_it_is_off_and_nothing_is_asked(
    settings: WebSettings, client: FlaskClient, function: dict[str, Any], app: Any
) -> None:
    parts = app.extensions["novaburst"]
    off = settings.model_copy(update={"scale_token_sha256": None})
    app.extensions["novaburst"] = type(parts)(**{**vars(parts), "settings": off})
    reply = scale(client)
    assert reply.status_code == 403
    assert "NOVABURST_SCALE_TOKEN_SHA256" in reply.json["detail"]
    assert function["events"] == []


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}])
def test_a_missing_or_wrong_token_is_challenged_and_nothing_is_asked(
    client: FlaskClient, function: dict[str, Any], headers: dict[str, str]
) -> None:
    reply = client.post("/api/v1/scale", json={"workers": "nonsense"}, headers=headers)
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    assert function["events"] == []


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b'{"workers": "3"}', 422, "workers"),
        (b'{"workers": -1}', 422, "workers"),
        (b'{"workers": true}', 422, "workers"),
        (b'{"workers": 1.5}', 422, "workers"),
        (b'{"dry_run": "false"}', 422, "dry_run"),
        (b'{"dryrun": true}', 422, "dryrun"),
        (b"[3]", 422, ""),
        (b"{", 400, ""),
    ],
)
def test_a_request_that_is_not_understood_asks_for_nothing(
    client: FlaskClient, function: dict[str, Any], body: bytes, status: int, field: str
) -> None:
    reply = client.post("/api/v1/scale", data=body, headers=BEARER)
    assert reply.status_code == status
    assert reply.json["faults"][0]["field"] == field
    assert function["events"] == []


def test_a_body_of_megabytes_is_not_read(client: FlaskClient, function: dict[str, Any]) -> None:
    assert client.post("/api/v1/scale", data=b" " * 2**20, headers=BEARER).status_code == 413
    assert function["events"] == []


def audit_lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(record.message) for record in caplog.records if record.name == "web_tier.audit"]


def test_who_asked_for_what_and_what_came_of_it_is_one_line(
    client: FlaskClient, healthy: Any, ec2: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    headers = {"X-Forwarded-For": "198.51.100.7", "X-Request-Id": "proxy-77"}
    reply = scale(client, {"workers": 1}, **headers)
    assert reply.headers["X-Request-Id"] == reply.json["request"] == "proxy-77"
    [line] = audit_lines(caplog)
    assert line["token"] == hashlib.sha256(TOKEN.encode()).hexdigest()[:8]
    assert (line["remote"], line["forwarded"], line["request"]) == ("127.0.0.1", "198.51.100.7", "proxy-77")
    assert line["asked"] == {"workers": 1, "dry_run": False}
    assert (line["via"], line["want"], line["did"]) == ("lambda", 1, {"launched": 1})
    assert TOKEN not in caplog.text


def test_a_refused_attempt_is_a_line_too_and_cannot_forge_another(
    client: FlaskClient, function: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    forged = 'x" \u2028 INFO scale'.encode().decode("latin-1")
    client.post(
        "/api/v1/scale",
        json={},
        headers={"Authorization": "Bearer guess", "X-Request-Id": "a b", "X-Forwarded-For": forged},
    )
    [line] = audit_lines(caplog)
    assert line["refused"] == 401
    assert line["request"] != "a b"
    assert "guess" not in caplog.text


def test_the_fleet_shows_instances_limits_the_plan_and_the_evaluations_made_here(
    client: FlaskClient, healthy: Any, ec2: Any
) -> None:
    before = client.get("/api/v1/fleet").json
    assert (before["instances"], before["evaluations"]) == ([], [])
    scale(client, {"workers": 1})
    reply = client.get("/api/v1/fleet")
    assert reply.headers["Cache-Control"] == "no-store"
    fleet = reply.json
    [instance] = fleet["instances"]
    assert (instance["id"], instance["state"], instance["mark"]) == (instances(ec2)[0], "running", None)
    assert fleet["counts"] == {"visible": 0, "in_flight": 0, "delayed": 0, "backlog": 0}
    assert (fleet["limits"]["maximum"], fleet["limits"]["minimum"]) == (4, 0)
    assert fleet["limits"]["boot_grace_seconds"] == 180
    assert (fleet["plan"]["want"], fleet["plan"]["have"]) == (0, 1)
    assert "0 waiting" in fleet["plan"]["reason"]
    [evaluation] = fleet["evaluations"]
    assert (evaluation["via"], evaluation["want"], evaluation["did"]) == ("lambda", 1, {"launched": 1})


def test_a_marked_instance_is_shown_with_its_mark(client: FlaskClient, healthy: Any, ec2: Any) -> None:
    scale(client, {"workers": 1})
    tag = {"Key": "novaburst:marked", "Value": "idle 2026-11-25T12:00:00+00:00"}
    ec2.create_tags(Resources=instances(ec2), Tags=[tag])
    [instance] = client.get("/api/v1/fleet").json["instances"]
    assert instance["mark"] == {"fault": "idle", "since": "2026-11-25T12:00:00+00:00"}


def test_an_instance_that_was_sent_away_is_shown_as_leaving_and_not_as_one_to_have(
    client: FlaskClient, healthy: Any, ec2: Any
) -> None:
    scale(client, {"workers": 1})
    tag = {"Key": "novaburst:leave", "Value": "2026-11-25T12:00:00+00:00"}
    ec2.create_tags(Resources=instances(ec2), Tags=[tag])
    fleet = client.get("/api/v1/fleet").json
    assert [instance["leaving"] for instance in fleet["instances"]] == [True]
    assert (fleet["plan"]["have"], fleet["plan"]["leaving"]) == (0, 1)


def test_the_fleet_does_not_tell_strangers_what_aws_says_in_its_errors(
    client: FlaskClient, settings: WebSettings
) -> None:
    sqs = boto3.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=settings.request_queue)["QueueUrl"])
    reply = client.get("/api/v1/fleet")
    assert reply.status_code == 503
    assert "NonExistentQueue" not in reply.text


@pytest.fixture
def ec2_calls(session: boto3.Session) -> Iterator[list[str]]:
    """The calls to EC2 of every client that is made from here on."""
    calls: list[str] = []

    def count(model: Any, **_: object) -> None:
        calls.append(model.name)

    session.events.register("before-call.ec2", count)
    yield calls
    session.events.unregister("before-call.ec2", count)


def test_a_hundred_readers_of_the_fleet_cost_aws_one_description(
    ec2_calls: list[str], client: FlaskClient, app: Any
) -> None:
    threads = [threading.Thread(target=lambda: app.test_client().get("/api/v1/fleet")) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(80):
        client.get("/api/v1/fleet")
    assert 1 <= len(ec2_calls) <= 3
