import time
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

from novaburst.bounds import MAX_IMAGE_BYTES
from novaburst.contract import Result
from tests.aws.web_tier.conftest import Fleet
from tests.aws.web_tier.test_uploads import queued
from web_tier.batches import Batches
from web_tier.deployment import Deployment
from web_tier.listener import forget, give_up_tickets
from web_tier.settings import WebSettings
from web_tier.skew import Skew
from web_tier.store import Store
from web_tier.tickets import expire


class Answering:
    """The part of a boto3 client that is watched for AWS's time."""

    def __init__(self) -> None:
        self.meta = SimpleNamespace(events=self)

    def register(self, event: str, handler: Any) -> None:
        self.handler = handler

    def answer(self, now: float) -> None:
        self.handler(http_response=SimpleNamespace(headers={"Date": formatdate(now, usegmt=True)}))


@pytest.fixture
def batch(client: FlaskClient) -> str:
    return str(client.post("/api/v1/batches").json["batch"])


def issue(client: FlaskClient, batch: str, *names: str) -> Any:
    files = [{"name": name, "type": "image/jpeg"} for name in names]
    return client.post(f"/api/v1/batches/{batch}/presigned", json={"files": files})


def send(form: dict[str, Any], content: bytes) -> int:
    return requests.post(form["url"], data=form["fields"], files={"file": content}, timeout=20).status_code


def complete(client: FlaskClient, batch: str, *ids: str) -> Any:
    return client.post(f"/api/v1/batches/{batch}/presigned/complete", json={"ids": list(ids)})


def test_files_sent_straight_to_s3_are_classified_like_uploads(
    client: FlaskClient, batch: str, working_fleet: Fleet, deployment: Deployment
) -> None:
    issued = issue(client, batch, "photos/cat.jpg", "dog.jpg").json
    for form, content in zip(issued["uploads"], (b"label:cat", b"label:dog"), strict=True):
        assert send(form, content) in {200, 201, 204}
    ids = [form["id"] for form in issued["uploads"]]
    reply = client.post(issued["complete"], json={"ids": ids})
    assert (reply.status_code, reply.json["accepted"]) == (202, 2)
    client.get(f"/api/v1/batches/{batch}/events").get_data()
    images = client.get(f"/api/v1/batches/{batch}").json["images"]
    assert [(image["name"], image["label"], image["bytes"]) for image in images] == [
        ("cat.jpg", "cat", 9),
        ("dog.jpg", "dog", 9),
    ]


def test_the_form_holds_its_client_to_size_and_type(client: FlaskClient, batch: str, settings: WebSettings) -> None:
    issued = issue(client, batch, "cat.jpg").json
    assert issued["max_bytes"] == settings.max_image_bytes < MAX_IMAGE_BYTES
    fields = issued["uploads"][0]["fields"]
    assert fields["Content-Type"] == "image/jpeg"
    assert fields["policy"]


def test_saying_so_twice_makes_one_image(client: FlaskClient, batch: str, deployment: Deployment) -> None:
    [form] = issue(client, batch, "cat.jpg").json["uploads"]
    deployment.in_bucket.put(form["id"], b"x")
    first, second = complete(client, batch, form["id"], form["id"]), complete(client, batch, form["id"])
    assert [image["accepted"] for image in first.json["images"]] == [True, True]
    assert second.json["images"][0]["id"] == form["id"]
    assert len(queued(deployment)) == 1


def test_what_is_not_there_is_an_error_of_its_own_and_may_still_come(
    client: FlaskClient, batch: str, deployment: Deployment
) -> None:
    first, second = (form["id"] for form in issue(client, batch, "1.jpg", "2.jpg").json["uploads"])
    deployment.in_bucket.put(first, b"x")
    reply = complete(client, batch, first, second, "never-issued")
    assert [(image["accepted"], (image["error"] or {}).get("code")) for image in reply.json["images"]] == [
        (True, None),
        (False, "object_missing"),
        (False, "object_missing"),
    ]
    deployment.in_bucket.put(second, b"x")
    assert complete(client, batch, second).json["accepted"] == 1


def test_a_form_belongs_to_its_batch(client: FlaskClient, batch: str, deployment: Deployment) -> None:
    [form] = issue(client, batch, "cat.jpg").json["uploads"]
    deployment.in_bucket.put(form["id"], b"x")
    other = client.post("/api/v1/batches").json["batch"]
    assert complete(client, other, form["id"]).json["accepted"] == 0
    assert complete(client, batch, form["id"]).json["accepted"] == 1
    assert complete(client, other, form["id"]).json["accepted"] == 0


def test_what_nobody_says_to_be_there_is_deleted(
    client: FlaskClient, batch: str, deployment: Deployment, store: Store
) -> None:
    sent, unsent, said = (form["id"] for form in issue(client, batch, "1.jpg", "2.jpg", "3.jpg").json["uploads"])
    for key in (sent, said):
        deployment.in_bucket.put(key, b"x")
    complete(client, batch, said)
    assert expire(store.database, 0.0) == 0
    assert expire(store.database, 1e10) == 2
    assert Batches(store.database, deployment.in_bucket, deployment.out_bucket).purge()
    assert list(deployment.in_bucket.keys()) == [said]
    assert complete(client, batch, sent, unsent).json["accepted"] == 0


def test_a_clock_that_is_hours_ahead_costs_no_upload(
    client: FlaskClient, batch: str, deployment: Deployment, store: Store
) -> None:
    """Nothing is deleted while AWS refuses such a clock, but all that was given up meanwhile once NTP has set it."""
    [form] = issue(client, batch, "1.jpg").json["uploads"]
    deployment.in_bucket.put(form["id"], b"x")
    ahead = [3 * 3600.0]

    def clock() -> float:
        return time.time() + ahead[0]

    aws, skew = Answering(), Skew(clock=clock)
    skew.watch(aws)
    give_up_tickets(store, skew, clock)
    aws.answer(time.time())
    give_up_tickets(store, skew, clock)
    ahead[0] = 0
    assert Batches(store.database, deployment.in_bucket, deployment.out_bucket).purge()
    assert complete(client, batch, form["id"]).json["accepted"] == 1


def test_what_is_old_is_given_up_and_forgotten_by_a_clock_that_is_right(
    client: FlaskClient, batch: str, deployment: Deployment, store: Store, settings: WebSettings
) -> None:
    store.add_batch("gone", 1.0)
    assert client.delete("/api/v1/batches/gone").status_code == 204
    issue(client, batch, "1.jpg")
    store.record([Result(id="old", batch=batch, name="1.jpg", label="cat", score=1, worker="i-1")], 1.0)
    years_later = time.time() + 1e8
    aws, skew = Answering(), Skew(clock=lambda: years_later)
    skew.watch(aws)
    batches = Batches(store.database, deployment.in_bucket, deployment.out_bucket, clock=lambda: years_later)
    for right in (False, True):
        aws.answer(years_later if right else time.time())
        give_up_tickets(store, skew, lambda: years_later)
        batches.purge()
        forget(store, batches, settings, skew, lambda: years_later)
        with store.database.reading() as db:
            assert db.execute("SELECT count(*) FROM tickets").fetchone() == (0 if right else 1,)
        assert (store.image("old") is None) == right
        assert batches.delete("gone") != right


def test_nothing_is_completed_into_a_deleted_batch_and_its_uploads_go(
    client: FlaskClient, batch: str, deployment: Deployment, store: Store
) -> None:
    [form] = issue(client, batch, "1.jpg").json["uploads"]
    client.delete(f"/api/v1/batches/{batch}")
    deployment.in_bucket.put(form["id"], b"x")
    assert complete(client, batch, form["id"]).status_code == 404
    assert expire(store.database, 1e10) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"files": []},
        {"files": [{"name": "a", "type": "text"}]},
        {"files": [{"name": "a"}] * 1001},
        {"files": [{"name": "a", "more": 1}]},
    ],
)
def test_a_wrong_question_is_a_422(client: FlaskClient, batch: str, body: dict[str, Any]) -> None:
    reply = client.post(f"/api/v1/batches/{batch}/presigned", json=body)
    assert (reply.status_code, reply.mimetype) == (422, "application/problem+json")


def test_no_batch_is_a_404(client: FlaskClient) -> None:
    assert issue(client, "none", "1.jpg").status_code == 404
    assert complete(client, "none", "a").status_code == 404
