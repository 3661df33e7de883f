import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from flask import Flask
from flask.testing import FlaskClient

from novaburst.contract import Request
from tests.aws.web_tier.conftest import Fleet
from tests.aws.web_tier.test_uploads import FORM, form, queued
from web_tier.attempts import Attempts
from web_tier.deployment import Deployment
from web_tier.images import Image, State
from web_tier.store import Store
from web_tier.tier import tier_of

FILES = (("1.jpg", b"label:one"), ("2.jpg", b"label:two"))


def post(client: FlaskClient, *files: tuple[str, bytes], key: str = "k", query: str = "", body: bytes = b"") -> Any:
    return client.post(
        f"/api/v1/upload{query}",
        data=body or form(*files),
        content_type=FORM,
        headers={"Idempotency-Key": key, "Accept": "application/json"},
    )


def ids(reply: Any) -> list[str]:
    return [image["id"] for image in reply.json["images"]]


def test_a_repeated_upload_makes_no_second_image(client: FlaskClient, deployment: Deployment) -> None:
    first, second = post(client, *FILES), post(client, *FILES)
    assert (first.status_code, second.status_code) == (202, 202)
    assert second.json == first.json
    assert sorted(request.name for request in queued(deployment)) == ["1.jpg", "2.jpg"]
    assert len(list(deployment.in_bucket.keys())) == 2


def test_a_key_of_long_ago_is_forgotten_once_aws_agrees_with_the_clock(
    app: Flask, client: FlaskClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.database.writing() as db:
        db.execute("INSERT INTO attempts (key, created, batch, owner, alive) VALUES ('old', 1, 'b', '', 0)")

    def known() -> bool:
        post(client, *FILES)
        with store.database.reading() as db:
            return db.execute("SELECT 1 FROM attempts WHERE key = 'old'").fetchone() is not None

    with monkeypatch.context() as patch:
        patch.setattr(tier_of(app).deployment.skew, "_clock", lambda: time.time() + 1e8)
        assert [known(), known()] == [True, True]
    assert not known()


def test_images_stay_in_the_order_of_the_request(client: FlaskClient) -> None:
    reply = post(client, *((f"{number}.jpg", b"x") for number in range(20)))
    view = client.get(reply.json["url"]).json
    assert [image["name"] for image in view["images"]] == [f"{number}.jpg" for number in range(20)]


def test_a_repetition_that_waits_gets_the_labels(client: FlaskClient, working_fleet: Fleet) -> None:
    post(client, *FILES)
    reply = post(client, *FILES, query="?wait=15")
    assert reply.status_code == 200
    assert [image["label"] for image in reply.json["images"]] == ["one", "two"]


def test_other_content_under_the_same_key_is_a_422_and_nothing_is_taken(
    client: FlaskClient, deployment: Deployment
) -> None:
    post(client, *FILES)
    for files in (FILES[:1], (FILES[0], ("2.jpg", b"label:xxx")), (FILES[0], ("3.jpg", b"label:two"))):
        reply = post(client, *files)
        assert (reply.status_code, reply.mimetype) == (422, "application/problem+json")
    assert len(queued(deployment)) == 2


def test_another_key_is_another_request(client: FlaskClient, deployment: Deployment) -> None:
    assert ids(post(client, *FILES, key="a")) != ids(post(client, *FILES, key="b"))
    assert len(queued(deployment)) == 4


def test_eight_repetitions_at_once_make_one_image_each(app: Flask, deployment: Deployment) -> None:
    def one(_: int) -> Any:
        client = app.test_client()
        while (reply := post(client, *FILES)).status_code == 409:
            time.sleep(0.02)
        return reply

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(one, range(8)))
    assert {reply.status_code for reply in replies} == {202}
    assert len({tuple(ids(reply)) for reply in replies}) == 1
    assert len(queued(deployment)) == 2


def test_a_repetition_while_the_first_is_under_way_is_told_to_come_again(app: Flask, client: FlaskClient) -> None:
    with tier_of(app).attempts.attempt("upload  k"):
        reply = post(client, *FILES)
    assert (reply.status_code, reply.headers["Retry-After"]) == (409, "1")


@pytest.mark.parametrize("far", [State.RECEIVING, State.QUEUED])
def test_a_repetition_after_a_crash_goes_on_where_the_first_has_ended(
    client: FlaskClient, store: Store, deployment: Deployment, far: State
) -> None:
    # The process died after the put of the first file, before or after SQS has taken it.
    attempts = Attempts(store.database)
    with attempts.attempt("upload  k") as dead:
        store.add_batch(dead.batch, dead.created)
        identity = dead.identity(0)
        store.add_image(Image(identity, dead.batch, "1.jpg", 9, State.RECEIVING, dead.created))
        deployment.in_bucket.put(identity, b"label:one")
        if far is State.QUEUED:
            about = {"id": identity, "batch": dead.batch, "bucket": deployment.in_bucket.name, "key": identity}
            deployment.request_queue.send([Request(**about, name="1.jpg", sent="2026-01-01T00:00Z").to_message()])
            store.mark_queued([identity], dead.created)
    attempts.close()
    reply = post(client, *FILES)
    assert ids(reply)[0] == identity
    assert sorted(request.id for request in queued(deployment)) == ids(reply)
    assert store.counts().total == 2


def test_another_file_in_the_place_of_one_that_is_queued_is_a_422_after_a_crash_too(
    client: FlaskClient, store: Store
) -> None:
    attempts = Attempts(store.database)
    with attempts.attempt("upload  k") as dead:
        store.add_batch(dead.batch, dead.created)
        store.add_image(Image(dead.identity(0), dead.batch, "other.jpg", 9, State.QUEUED, dead.created))
    attempts.close()
    assert post(client, *FILES).status_code == 422


def test_what_could_not_be_queued_is_queued_by_the_repetition(
    client: FlaskClient, deployment: Deployment, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web_tier.sender._RETRY_AFTER", (0.0,))
    boto3.client("sqs").delete_queue(QueueUrl=deployment.request_queue.url)
    first = post(client, *FILES)
    assert first.status_code == 503
    boto3.client("sqs").create_queue(QueueName=deployment.request_queue.name)
    second = post(client, *FILES)
    assert (second.status_code, ids(second)) == (202, ids(first))
    assert {image["state"] for image in second.json["images"]} == {"pending"}
    assert store.counts().total == len(queued(deployment)) == 2


def test_a_body_that_broke_off_is_completed_by_its_repetition(
    client: FlaskClient, deployment: Deployment, store: Store
) -> None:
    files = (("1.jpg", b"one"), ("2.jpg", b"x" * 1000))
    whole = form(*files)
    first = post(client, body=whole[: whole.index(b"xxx") + 50])
    assert (first.status_code, first.json["refused"]) == (202, 1)
    second = post(client, *files)
    assert (second.status_code, second.json["refused"], ids(second)) == (202, 0, ids(first))
    assert store.counts().total == len(queued(deployment)) == 2


def test_files_that_were_refused_are_refused_again_and_not_twice(client: FlaskClient, store: Store) -> None:
    for _ in range(2):
        assert post(client, ("1.jpg", b"")).status_code == 422
        assert post(client, ("1.jpg", b""), ("2.jpg", b"x"), key="mixed").json["refused"] == 1
    assert store.counts().total == 3


def test_a_repetition_after_the_batch_was_deleted_is_a_410(client: FlaskClient) -> None:
    batch = post(client, *FILES).json["batch"]
    client.delete(f"/api/v1/batches/{batch}")
    assert post(client, *FILES).status_code == 410


@pytest.mark.parametrize("key", ["", "x" * 256, "ключ"])
def test_a_key_that_is_none_is_a_400(client: FlaskClient, key: str) -> None:
    assert post(client, *FILES, key=key).status_code == 400


def test_opening_a_batch_again_gives_the_same_batch(client: FlaskClient) -> None:
    first, second = (client.post("/api/v1/batches", headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, second.json) == (201, first.json)
    assert client.post("/api/v1/batches").json != first.json
