import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from novaburst.contract import result_key
from novaburst.objects import Bucket, NotDeletedError
from tests.aws.web_tier.conftest import Fleet
from web_tier.batches import Batches
from web_tier.deployment import Deployment
from web_tier.images import Image, State
from web_tier.listener import Listener
from web_tier.settings import WebSettings
from web_tier.store import Store
from web_tier.sweeper import Sweeper

OPERATOR = {"Authorization": "Bearer secret"}
Upload = Callable[..., tuple[str, list[str]]]


@pytest.fixture
def settings(settings: WebSettings) -> WebSettings:
    return settings.model_copy(update={"scale_token_sha256": hashlib.sha256(b"secret").hexdigest()})


@pytest.fixture
def batches(deployment: Deployment, store: Store) -> Batches:
    return Batches(store.database, deployment.in_bucket, deployment.out_bucket)


@pytest.fixture
def upload(client: FlaskClient) -> Upload:
    def upload(*bodies: bytes, batch: str = "") -> tuple[str, list[str]]:
        batch = batch or client.post("/api/v1/batches").json["batch"]
        ids = [
            client.post(f"/api/v1/upload?batch={batch}", data=body, content_type="image/jpeg").json["images"][0]["id"]
            for body in bodies
        ]
        return batch, ids

    return upload


def keys(bucket: Bucket) -> set[str]:
    return set(bucket.keys())


def test_the_newest_batches_come_first_with_their_counts_page_by_page(client: FlaskClient, store: Store) -> None:
    for number in range(5):
        store.add_batch(f"b{number}", 100.0 + number // 2)
    store.add_image(Image("1", "b4", "cat.jpg", 5, State.QUEUED, 100.0))
    seen, address = [], "/api/v1/batches?limit=2"
    while address:
        page = client.get(address, headers=OPERATOR).json
        seen += page["batches"]
        address = page["next"]
    assert [batch["batch"] for batch in seen] == ["b4", "b3", "b2", "b1", "b0"]
    assert seen[0]["counts"] == {"total": 1, "done": 0, "failed": 0, "pending": 1}
    assert seen[0]["url"] == "/api/v1/batches/b4"


def test_the_list_is_the_operators_since_an_id_opens_its_batch(client: FlaskClient) -> None:
    reply = client.get("/api/v1/batches")
    assert (reply.status_code, reply.mimetype) == (401, "application/problem+json")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=201", "limit=²", "after=x", "after=nan~a", "after=1_0~a", "after=1"]
)
def test_a_wrong_page_is_a_400(client: FlaskClient, query: str) -> None:
    assert client.get(f"/api/v1/batches?{query}", headers=OPERATOR).status_code == 400


def test_a_deleted_batch_is_gone_with_its_objects_and_no_other_is(
    client: FlaskClient, upload: Upload, working_fleet: Fleet, deployment: Deployment
) -> None:
    batch, (first, second) = upload(b"label:cat", b"text")
    other, (kept,) = upload(b"label:dog")
    for one in (batch, other):
        client.get(f"/api/v1/batches/{one}/events").get_data()
    assert client.delete(f"/api/v1/batches/{batch}").status_code == 204
    assert keys(deployment.in_bucket) == {kept}
    assert keys(deployment.out_bucket) == {result_key(kept)}
    for address in (f"batches/{batch}", f"results/{first}", f"results/{second}", f"batches/{batch}/events"):
        assert client.get(f"/api/v1/{address}").status_code == 404
    assert client.get(f"/api/v1/batches/{other}").json["counts"]["done"] == 1


def test_deleting_again_is_no_fault_and_a_batch_that_never_was_is_a_404(client: FlaskClient, upload: Upload) -> None:
    batch, _ = upload(b"x")
    assert [client.delete(f"/api/v1/batches/{batch}").status_code for _ in range(2)] == [204, 204]
    assert client.delete("/api/v1/batches/none").status_code == 404


def test_requests_of_a_deleted_batch_that_are_queued_bring_nothing_back(
    client: FlaskClient, upload: Upload, fleet: Fleet, listener: Listener, batches: Batches
) -> None:
    deployment = fleet.deployment
    batch, (image,) = upload(b"label:cat")
    client.delete(f"/api/v1/batches/{batch}")
    # A worker had fetched the object before it was deleted.
    deployment.in_bucket.put(image, b"label:cat")
    assert fleet.serve() == 1
    assert client.get(f"/api/v1/results/{image}").status_code == 404
    listener.poll(0)
    assert client.get(f"/api/v1/batches/{batch}").status_code == 404
    assert client.get("/api/v1/status").json["images"]["total"] == 0
    assert batches.purge()
    assert keys(deployment.in_bucket) == keys(deployment.out_bucket) == set()


def test_nothing_is_uploaded_into_a_deleted_batch(client: FlaskClient, upload: Upload) -> None:
    batch, _ = upload(b"x")
    client.delete(f"/api/v1/batches/{batch}")
    reply = client.post(f"/api/v1/upload?batch={batch}", data=b"x", content_type="image/jpeg")
    assert reply.status_code == 404


def test_objects_that_could_not_be_deleted_are_deleted_later(
    client: FlaskClient, upload: Upload, deployment: Deployment, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, (image,) = upload(b"x")
    with monkeypatch.context() as patch:
        refusal = {"Errors": [{"Key": image, "Code": "AccessDenied"}]}
        patch.setattr("botocore.client.BaseClient._make_api_call", lambda *_: refusal)
        assert client.delete(f"/api/v1/batches/{batch}").status_code == 202
    assert client.get(f"/api/v1/batches/{batch}").status_code == 404
    assert keys(deployment.in_bucket) == {image}
    assert batches.purge()
    assert keys(deployment.in_bucket) == set()


def test_an_object_that_s3_never_deletes_keeps_no_other_in_the_buckets(
    store: Store, deployment: Deployment, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web_tier.batches.DELETES_AT_ONCE", 5)
    store.add_batch("b", 1.0)
    for image_id in "abcdefghijkl":
        store.add_image(Image(image_id, "b", "cat.jpg", 5, State.QUEUED, 100.0))
        deployment.in_bucket.put(image_id, b"x")
        deployment.out_bucket.put(result_key(image_id), b"{}")
    locked, s3 = {*"abcdef"}, deployment.in_bucket._client
    delete = s3.delete_objects

    # As where an object is held by a lock (S3 Object Lock): each is refused for itself, in an answer with status 200.
    def refuse(**call: Any) -> Any:
        keys = [entry["Key"] for entry in call["Delete"]["Objects"]]
        free = [{"Key": key} for key in keys if key not in locked]
        done = delete(**call | {"Delete": {"Objects": free, "Quiet": True}}) if free else {}
        return done | {"Errors": [{"Key": key, "Code": "AccessDenied"} for key in keys if key in locked]}

    monkeypatch.setattr(s3, "delete_objects", refuse)
    assert batches.delete("b")
    for _ in range(4):
        with suppress(NotDeletedError):
            batches.purge()
    assert keys(deployment.in_bucket) == locked
    assert keys(deployment.out_bucket) == set()
    monkeypatch.setattr(s3, "delete_objects", delete)
    assert [batches.purge() for _ in range(2)] == [False, True]
    assert keys(deployment.in_bucket) == set()


def test_a_batch_of_thousands_is_deleted_a_thousand_objects_at_a_time(
    store: Store, batches: Batches, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add_batch("b", 1.0)
    for number in range(12):
        store.add_image(Image(str(number), "b", "cat.jpg", 5, State.QUEUED, 100.0))
    monkeypatch.setattr("web_tier.batches.DELETES_AT_ONCE", 5)
    assert client.delete("/api/v1/batches/b").status_code == 202
    assert [batches.purge() for _ in range(2)] == [False, True]


def test_a_deleted_batch_is_remembered_for_as_long_as_results_are_kept(deployment: Deployment, store: Store) -> None:
    now = [1000.0]
    batches = Batches(store.database, deployment.in_bucket, deployment.out_bucket, clock=lambda: now[0])
    store.add_batch("b", 1.0)
    assert batches.delete("b")
    batches.forget()
    assert batches.delete("b")
    now[0] += 31 * 86_400
    batches.forget()
    assert not batches.delete("b")


def test_the_sweeper_queues_nothing_of_a_deleted_batch(
    deployment: Deployment, store: Store, batches: Batches, client: FlaskClient
) -> None:
    store.add_batch("b", 1.0)
    store.add_image(Image("a", "b", "cat.jpg", 5, State.RECEIVING, 100.0))
    deployment.in_bucket.put("a", b"x")
    batches.delete("b")
    Sweeper(deployment, store, lambda: None).sweep()
    assert deployment.request_queue.depth().backlog == 0


def test_a_client_that_waits_for_a_deleted_batch_is_answered(
    app: Flask, client: FlaskClient, store: Store, batches: Batches
) -> None:
    batch = client.post("/api/v1/batches").json["batch"]
    statuses: list[int] = []

    def wait() -> None:
        reply = app.test_client().post(f"/api/v1/upload?wait=20&batch={batch}", data=b"x", content_type="image/jpeg")
        statuses.append(reply.status_code)

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not any(image.state is State.QUEUED for image in store.all_of(batch)):
        threading.Event().wait(0.01)
    assert batches.delete(batch)
    waiting.join(15)
    assert statuses == [202]
