import json
import socket
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import boto3
import pytest
from flask import Flask
from flask.testing import FlaskClient
from urllib3.filepost import encode_multipart_formdata
from werkzeug.test import EnvironBuilder, run_wsgi_app

from novaburst.contract import Request
from tests.aws.web_tier.conftest import Fleet
from web_tier.deployment import Deployment
from web_tier.settings import WebSettings
from web_tier.tier import tier_of

FORM = "multipart/form-data; boundary=b0undary"


def form(*files: tuple[str, bytes]) -> bytes:
    return encode_multipart_formdata([("photos", file) for file in files], "b0undary")[0]


def upload(client: FlaskClient, *files: tuple[str, bytes], query: str = "") -> Any:
    return client.post(f"/api/v1/upload{query}", data=form(*files), content_type=FORM)


def queued(deployment: Deployment) -> list[Request]:
    found: list[Request] = []
    while messages := deployment.request_queue.receive(wait_seconds=0):
        found += [Request.parse(message.body) for message in messages]
    return found


def test_each_file_is_stored_under_its_id_and_queued(
    client: FlaskClient, deployment: Deployment, settings: WebSettings
) -> None:
    reply = upload(client, ("cat.jpg", b"one"), ("cat.jpg", b"two"), ("дом/кот.jpg", b"three"))
    assert reply.status_code == 202
    assert reply.headers["Location"] == f"/api/v1/batches/{reply.json['batch']}"
    images = reply.json["images"]
    assert [image["name"] for image in images] == ["cat.jpg", "cat.jpg", "кот.jpg"]
    assert [image["accepted"] for image in images] == [True] * 3
    assert [deployment.in_bucket.get(image["id"]) for image in images] == [b"one", b"two", b"three"]
    requests = {request.id: request for request in queued(deployment)}
    assert requests.keys() == {image["id"] for image in images}
    assert {request.bucket for request in requests.values()} == {settings.in_bucket}
    assert all(request.key == request.id for request in requests.values())
    metadata = boto3.client("s3").head_object(Bucket=settings.in_bucket, Key=images[2]["id"])["Metadata"]
    assert (unquote(metadata["name"]), metadata["batch"]) == ("кот.jpg", reply.json["batch"])


def test_waiting_gives_the_results_themselves_good_and_bad_in_order(client: FlaskClient, working_fleet: Fleet) -> None:
    files = [("cat.jpg", b"label:cat"), ("empty.png", b""), ("notes.txt", b"text"), ("dog.jpg", b"label:dog")]
    reply = upload(client, *files, query="?wait=15")
    assert reply.status_code == 200
    answers = [(image["name"], image["label"], (image["error"] or {}).get("code")) for image in reply.json["images"]]
    assert answers == [
        ("cat.jpg", "cat", None),
        ("empty.png", None, "empty_file"),
        ("notes.txt", None, "not_an_image"),
        ("dog.jpg", "dog", None),
    ]
    assert (reply.json["accepted"], reply.json["refused"]) == (3, 1)
    assert "convert it" in reply.json["images"][2]["error"]["remedy"]


def test_a_wait_that_runs_out_is_a_202_with_what_is_pending(client: FlaskClient) -> None:
    reply = upload(client, ("cat.jpg", b"label:cat"), query="?wait=0.1")
    assert reply.status_code == 202
    assert reply.json["images"][0]["state"] == "pending"


def test_an_upload_does_not_wait_where_so_many_do_that_no_thread_would_be_left(app: Flask, client: FlaskClient) -> None:
    parts = tier_of(app)
    for _ in range(parts.settings.max_waits):
        assert parts.waits.acquire(blocking=False)
    began = time.monotonic()
    reply = upload(client, ("cat.jpg", b"label:cat"), query="?wait=120")
    assert (reply.status_code, reply.json["images"][0]["state"]) == (202, "pending")
    assert time.monotonic() - began < 60
    parts.waits.release()
    upload(client, ("cat.jpg", b"label:cat"), query="?wait=0.1")
    assert parts.waits.acquire(blocking=False)


@pytest.mark.parametrize("wait", ["soon", "-1", "nan", "", "inf", "1_0", "%201", "٣", "1e"])
def test_a_wait_that_is_no_time_is_refused_before_anything_is_stored(client: FlaskClient, wait: str) -> None:
    reply = upload(client, ("cat.jpg", b"x"), query=f"?wait={wait}")
    assert reply.status_code == 400
    assert client.get("/api/v1/status").json["images"]["total"] == 0


def test_fifteen_hundred_files_in_one_request_all_have_their_answer(
    client: FlaskClient, deployment: Deployment
) -> None:
    # Only every tenth has bytes: moto takes a second for fifty messages, and the number of files is what matters.
    reply = upload(client, *((f"{number}.jpg", b"x" * (number % 10 == 0)) for number in range(1500)))
    assert reply.status_code == 202
    images = reply.json["images"]
    assert [image["name"] for image in images] == [f"{number}.jpg" for number in range(1500)]
    assert [image["accepted"] for image in images] == [number % 10 == 0 for number in range(1500)]
    assert deployment.request_queue.depth().visible == 150


def test_an_oversized_file_is_refused_and_the_good_ones_beside_it_are_taken(client: FlaskClient) -> None:
    reply = upload(client, ("1.jpg", b"one"), ("2.jpg", b"x" * 300_000), ("3.jpg", b"three"))
    assert reply.status_code == 202
    assert [(image["error"] or {}).get("code") for image in reply.json["images"]] == [None, "too_large", None]


def test_files_that_are_all_too_large_are_a_413_that_lists_them(client: FlaskClient) -> None:
    reply = upload(client, ("1.jpg", b"x" * 300_000))
    assert reply.status_code == 413
    assert reply.mimetype == "application/problem+json"
    assert reply.json["code"] == "too_large"
    assert "scale it down" in reply.json["remedy"]
    assert reply.json["images"][0]["name"] == "1.jpg"


def test_files_that_are_refused_for_several_reasons_are_a_422(client: FlaskClient) -> None:
    reply = upload(client, ("1.jpg", b"x" * 300_000), ("2.jpg", b""))
    assert reply.status_code == 422
    assert [image["error"]["code"] for image in reply.json["images"]] == ["too_large", "empty_file"]


def test_refused_files_are_part_of_their_batch(client: FlaskClient) -> None:
    reply = upload(client, ("1.jpg", b"one"), ("2.jpg", b""))
    batch = client.get(reply.headers["Location"]).json
    assert batch["counts"] == {"total": 2, "done": 0, "failed": 1, "pending": 1}
    assert [image["name"] for image in batch["images"]] == ["1.jpg", "2.jpg"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"--b0undary--\r\n", FORM),
        (b"", FORM),
        (b"a=1", "application/x-www-form-urlencoded"),
        (b"", None),
        (form(("", b"")), FORM),
    ],
)
def test_a_request_without_a_file_is_a_400(client: FlaskClient, body: bytes, kind: str | None) -> None:
    reply = client.post("/api/v1/upload", data=body, content_type=kind)
    assert reply.status_code == 400
    assert reply.mimetype == "application/problem+json"


def test_a_body_that_can_hold_no_files_is_a_415(client: FlaskClient) -> None:
    assert client.post("/api/v1/upload", json={"file": "cat.jpg"}).status_code == 415


def test_a_body_that_stops_half_way_keeps_the_complete_files(client: FlaskClient) -> None:
    whole = form(("1.jpg", b"one"), ("2.jpg", b"x" * 1000))
    reply = client.post("/api/v1/upload", data=whole[: whole.index(b"xxx") + 50], content_type=FORM)
    assert reply.status_code == 202
    codes = [(image["name"], (image["error"] or {}).get("code")) for image in reply.json["images"]]
    assert codes == [("1.jpg", None), ("2.jpg", "upload_incomplete")]
    assert "ended early" in reply.json["shortfall"]


def test_a_body_that_says_it_is_too_large_is_a_413_with_the_limit(
    client: FlaskClient, settings: WebSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings.__dict__, "max_upload_bytes", 1000)
    reply = upload(client, ("1.jpg", b"x" * 2000))
    assert reply.status_code == 413
    assert reply.mimetype == "application/problem+json"
    assert "at most 1,000" in reply.json["detail"]


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("../../../etc/passwd", "passwd"),
        ("C:\\photos\\cat.jpg", "cat.jpg"),
        ('a"quote".jpg', 'a"quote".jpg'),
        ("new\nline.jpg", "newline.jpg"),
        ("x" * 4096, "x" * 254 + "…"),
        ("🐈" * 300, "🐈" * 254 + "…"),
        ("photo, with; signs=1 & <b>.jpg", "photo, with; signs=1 & <b>.jpg"),
        ("", "unnamed"),
    ],
)
def test_any_name_is_taken(client: FlaskClient, working_fleet: Fleet, given_name: str, shown: str) -> None:
    reply = upload(client, (given_name, b"label:cat"), query="?wait=15")
    assert reply.status_code == 200
    assert (reply.json["images"][0]["name"], reply.json["images"][0]["label"]) == (shown, "cat")


def test_the_body_can_be_the_image_itself(client: FlaskClient, working_fleet: Fleet) -> None:
    reply = client.post("/api/v1/upload?wait=15&name=cat.jpg", data=b"label:cat", content_type="image/jpeg")
    assert [(image["name"], image["label"]) for image in reply.json["images"]] == [("cat.jpg", "cat")]


def test_uploads_are_collected_in_one_batch(client: FlaskClient) -> None:
    opened = client.post("/api/v1/batches")
    assert opened.status_code == 201
    batch = opened.json["batch"]
    assert opened.headers["Location"] == f"/api/v1/batches/{batch}"
    for name in ("1.jpg", "2.jpg"):
        assert upload(client, (name, b"x"), query=f"?batch={batch}").json["batch"] == batch
    assert [image["name"] for image in client.get(f"/api/v1/batches/{batch}").json["images"]] == ["1.jpg", "2.jpg"]


def test_an_upload_into_a_batch_that_does_not_exist_is_a_404(client: FlaskClient) -> None:
    assert upload(client, ("1.jpg", b"x"), query="?batch=none").status_code == 404


def test_a_browser_without_javascript_is_led_to_the_batchs_page(client: FlaskClient) -> None:
    reply = client.post(
        "/api/v1/upload", data=form(("1.jpg", b"x")), content_type=FORM, headers={"Accept": "text/html,*/*;q=0.8"}
    )
    assert reply.status_code == 303
    assert client.get(reply.headers["Location"]).status_code == 200


def test_a_file_that_cannot_be_stored_is_refused_and_stays_so_in_its_batch(
    client: FlaskClient, settings: WebSettings
) -> None:
    boto3.client("s3").delete_bucket(Bucket=settings.in_bucket)
    reply = upload(client, ("1.jpg", b"x"))
    assert reply.status_code == 503
    assert reply.json["code"] == "not_stored"
    batch = client.get(f"/api/v1/batches/{reply.json['batch']}").json
    assert batch["images"][0]["error"]["code"] == "not_stored"


def test_a_file_that_cannot_be_queued_is_refused(
    client: FlaskClient, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web_tier.sender._RETRY_AFTER", (0.0,))
    boto3.client("sqs").delete_queue(QueueUrl=deployment.request_queue.url)
    reply = upload(client, ("1.jpg", b"x"))
    assert reply.status_code == 503
    assert reply.json["images"][0]["error"]["code"] == "not_stored"


def test_files_are_stored_and_queued_while_the_body_is_still_arriving(
    client: FlaskClient, deployment: Deployment
) -> None:
    whole = form(*((f"{number}.jpg", b"x") for number in range(12)))
    cut = whole.index(b"10.jpg")
    near, far = socket.socketpair()

    def send() -> None:
        with far:
            far.sendall(whole[:cut])
            for _ in range(500):
                if deployment.request_queue.depth().visible == 10:
                    break
                threading.Event().wait(0.01)
            else:
                return
            far.sendall(whole[cut:])

    sender = threading.Thread(target=send)
    sender.start()
    with near, near.makefile("rb", buffering=0) as stream:
        environ = {
            **EnvironBuilder("/api/v1/upload", method="POST").get_environ(),
            "wsgi.input": stream,
            "CONTENT_TYPE": FORM,
            "CONTENT_LENGTH": str(len(whole)),
        }
        body, status, _ = run_wsgi_app(client.application, environ, buffered=True)
    sender.join()
    assert status == "202 ACCEPTED"
    assert json.loads(b"".join(body))["accepted"] == 12


def test_nothing_of_an_upload_is_left_in_the_spool(client: FlaskClient, settings: WebSettings) -> None:
    upload(client, ("1.jpg", b"x" * 190_000), ("2.jpg", b"x" * 300_000))
    assert list(Path(settings.spool_dir).iterdir()) == []


def test_work_that_was_queued_wakes_the_lambda_once_a_burst(client: FlaskClient, deployment: Deployment) -> None:
    upload(client, *((f"{number}.jpg", b"x") for number in range(30)))
    woken = deployment.wake_queue.receive(wait_seconds=2)
    assert [message.body for message in woken] == ['{"v":1}']


def test_an_upload_succeeds_when_the_lambda_cannot_be_woken(client: FlaskClient, deployment: Deployment) -> None:
    boto3.client("sqs").delete_queue(QueueUrl=deployment.wake_queue.url)
    assert upload(client, ("1.jpg", b"x")).status_code == 202
