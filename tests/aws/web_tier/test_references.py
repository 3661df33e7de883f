import threading
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from flask import Flask
from flask.testing import FlaskClient

from novaburst.contract import Request, Result
from tests.aws.web_tier.conftest import Fleet
from tests.aws.web_tier.test_uploads import queued
from web_tier.deployment import Deployment
from web_tier.events import changes
from web_tier.feeder import Feeder
from web_tier.images import State
from web_tier.listener import Listener
from web_tier.references import References
from web_tier.settings import WebSettings
from web_tier.store import Store
from web_tier.sweeper import Sweeper
from web_tier.tier import tier_of

NEVER = threading.Event()


@pytest.fixture
def references(deployment: Deployment, store: Store) -> References:
    return References(store.database, deployment.in_bucket)


@pytest.fixture
def wakes() -> list[None]:
    return []


@pytest.fixture
def feeder(references: References, store: Store, deployment: Deployment, wakes: list[None]) -> Feeder:
    bucket = deployment.in_bucket.name
    return Feeder(references, store, lambda: deployment.request_queue, bucket, lambda: wakes.append(None))


def put(deployment: Deployment, *keys: str) -> None:
    for key in keys:
        deployment.in_bucket.put(key, b"label:cat")


def by_reference(client: FlaskClient, key: str | None = None, **body: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post("/api/v1/batches", json=body, headers=headers)


def test_objects_are_classified_where_they_lie(
    client: FlaskClient, feeder: Feeder, fleet: Fleet, listener: Listener, wakes: list[None]
) -> None:
    deployment = fleet.deployment
    put(deployment, "holiday/1.jpg", "кот/2 ü.jpg")
    reply = by_reference(client, keys=["holiday/1.jpg", "кот/2 ü.jpg"])
    assert reply.status_code == 202
    assert reply.headers["Location"] == reply.json["url"]
    assert (reply.json["counts"]["total"], reply.json["filling"]) == (2, False)
    assert feeder.feed(NEVER) == 2
    assert wakes
    fleet.serve()
    listener.poll(0)
    assert sorted(request.key for request in fleet.served) == ["holiday/1.jpg", "кот/2 ü.jpg"]
    images = client.get(reply.json["url"]).json["images"]
    assert [(image["name"], image["key"], image["label"]) for image in images] == [
        ("1.jpg", "holiday/1.jpg", "cat"),
        ("2 ü.jpg", "кот/2 ü.jpg", "cat"),
    ]


def test_all_that_lies_under_a_prefix_is_taken_but_no_folder_and_no_upload(
    client: FlaskClient, deployment: Deployment, feeder: Feeder
) -> None:
    put(deployment, "a/1.jpg", "a/2.jpg", "a/sub/", "b/3.jpg")
    upload = client.post("/api/v1/upload", data=b"x", content_type="image/jpeg").json["images"][0]["id"]
    queued(deployment)
    batch = by_reference(client, prefix="a/").json
    assert batch["counts"]["total"] == 2
    assert by_reference(client, prefix=upload[:8]).json["counts"]["total"] == 0
    feeder.feed(NEVER)
    assert sorted(request.key for request in queued(deployment)) == ["a/1.jpg", "a/2.jpg"]


def test_a_prefix_of_many_pages_is_listed_in_the_background_and_its_batch_is_open_until_then(
    client: FlaskClient, deployment: Deployment, feeder: Feeder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web_tier.references.PAGE", 5)
    put(deployment, *(f"a/{number:02}.jpg" for number in range(13)))
    batch = by_reference(client, prefix="a/").json
    assert (batch["counts"]["total"], batch["filling"]) == (5, True)
    assert client.get(batch["url"]).json["filling"]
    assert feeder.feed(NEVER) == 13
    view = client.get(batch["url"]).json
    assert (view["counts"]["total"], view["filling"]) == (13, False)
    assert sorted(request.key for request in queued(deployment)) == [f"a/{number:02}.jpg" for number in range(13)]


def test_a_crash_while_listing_neither_loses_nor_repeats_a_page(
    client: FlaskClient, deployment: Deployment, references: References, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web_tier.references.PAGE", 5)
    put(deployment, *(f"a/{number:02}.jpg" for number in range(13)))
    batch = by_reference(client, prefix="a/").json["batch"]

    def crash(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("web_tier.references._insert", crash)
        with pytest.raises(SystemExit):
            references.list_on(1e10)
    assert not references.list_on(1e10 + 30)
    assert [references.list_on(1e10 + 61), references.list_on(1e10 + 61), references.list_on(1e10 + 61)] == [
        True,
        True,
        False,
    ]
    assert [image.key for image in store.all_of(batch)] == [f"a/{number:02}.jpg" for number in range(13)]


def test_a_crash_between_queueing_and_the_store_queues_again_and_a_result_counts_once(
    app: Flask, fleet: Fleet, listener: Listener, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, deployment, references = app.test_client(), fleet.deployment, tier_of(app).references
    put(deployment, "1.jpg")
    batch = by_reference(client, keys=["1.jpg"]).json["batch"]
    now = [1e10]
    bucket = deployment.in_bucket.name
    feeder = Feeder(references, store, lambda: deployment.request_queue, bucket, lambda: None, clock=lambda: now[0])
    with monkeypatch.context() as patch:
        patch.setattr(store, "mark_queued", lambda *_: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            feeder.feed(NEVER)
    assert feeder.feed(NEVER) == 0
    now[0] += 61
    assert feeder.feed(NEVER) == 1
    while fleet.serve():
        pass
    while deployment.response_queue.depth().backlog:
        listener.poll(0)
    assert store.counts(batch).as_json() == {"total": 1, "done": 1, "failed": 0, "pending": 0}


def test_what_was_taken_on_by_a_clock_that_was_ahead_is_taken_on_again(
    references: References, store: Store, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(deployment, "holiday/1.jpg", "holiday/2.jpg", "holiday/3.jpg")
    monkeypatch.setattr("web_tier.references.PAGE", 2)
    assert references.enter_prefix("b", "holiday/", 1e9)
    assert len(references.claim(1e9 + 7200, 10)) == 2
    with monkeypatch.context() as patch:
        patch.setattr(References, "_page", lambda *_: pytest.fail("the process ends here"))
        with pytest.raises(pytest.fail.Exception):
            references.list_on(1e9 + 7200)
    assert len(references.claim(1e9 + 5, 10)) == 2
    assert references.list_on(1e9 + 5)
    assert len(references.claim(1e9 + 6, 10)) == 1
    assert references.claim(1e9 + 6, 10) == []


def test_requests_that_sqs_did_not_take_are_sent_again(
    client: FlaskClient, deployment: Deployment, references: References, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_reference(client, keys=[f"{number}.jpg" for number in range(25)])
    now = [1e10]
    queue = deployment.request_queue
    feeder = Feeder(references, store, lambda: queue, "novatest-in-bucket", lambda: None, clock=lambda: now[0])
    with monkeypatch.context() as patch:
        send = queue.send
        patch.setattr(queue, "send", lambda bodies: [0, *(n + 1 for n in send(bodies[1:]))])
        assert feeder.feed(NEVER) == 22
    now[0] += 61
    assert feeder.feed(NEVER) == 3
    assert sorted(int(request.key.removesuffix(".jpg")) for request in queued(deployment)) == list(range(25))


def test_a_queue_that_is_away_loses_nothing(
    client: FlaskClient, references: References, deployment: Deployment, feeder: Feeder
) -> None:
    by_reference(client, keys=["1.jpg"])
    boto3.client("sqs").delete_queue(QueueUrl=deployment.request_queue.url)
    with pytest.raises(ClientError):
        feeder.feed(NEVER)
    boto3.client("sqs").create_queue(QueueName=deployment.request_queue.name)
    assert [image.key for image in references.claim(1e10, 10)] == ["1.jpg"]


def test_the_sweeper_leaves_to_the_feeder_what_was_given_by_reference(
    client: FlaskClient, deployment: Deployment, store: Store
) -> None:
    by_reference(client, keys=["1.jpg"])
    Sweeper(deployment, store, lambda: None, clock=lambda: 1e10).sweep()
    assert store.counts().pending == 1
    assert deployment.request_queue.depth().backlog == 0


def test_a_key_that_fits_in_no_message_is_an_error_of_its_own_and_the_others_go_on(
    client: FlaskClient, deployment: Deployment, feeder: Feeder
) -> None:
    upload = client.post("/api/v1/upload", data=b"x", content_type="image/jpeg").json["images"][0]["id"]
    queued(deployment)
    keys = ["good.jpg", "x" * 1000, "猫" * 200, "", "y" * 1025, upload]
    reply = by_reference(client, keys=keys)
    assert reply.status_code == 202
    assert reply.json["counts"] == {"total": 6, "done": 0, "failed": 5, "pending": 1}
    images = client.get(reply.json["url"]).json["images"]
    assert [(image["error"] or {}).get("code") for image in images] == [None] + ["bad_key"] * 5
    assert "copy the object" in images[1]["error"]["remedy"]
    feeder.feed(NEVER)
    assert [request.key for request in queued(deployment)] == ["good.jpg"]


def test_a_key_of_whatever_length_is_queued_or_refused_and_holds_up_no_other(
    client: FlaskClient, deployment: Deployment, feeder: Feeder, store: Store
) -> None:
    # Six of these leave room for a message without a name, but not for the mark of one that was cut.
    batch = by_reference(client, keys=["x" * length for length in range(800, 880)] + ["q/c.png"]).json["batch"]
    refused = store.counts(batch).failed
    assert 0 < refused < 80
    assert feeder.feed(NEVER) == 81 - refused
    assert {image.state for image in store.all_of(batch)} == {State.QUEUED, State.REFUSED}
    assert "q/c.png" in {request.key for request in queued(deployment)}


def test_a_key_that_fits_in_no_message_and_was_stored_before_is_refused_and_those_beside_it_are_queued(
    client: FlaskClient, deployment: Deployment, feeder: Feeder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("web_tier.references.message_for", lambda *_: "fits")
        batch = by_reference(client, keys=["x" * 840, "q/c.png", "y" * 900]).json["batch"]
    assert store.counts(batch).pending == 3
    assert feeder.feed(NEVER) == 1
    assert [request.key for request in queued(deployment)] == ["q/c.png"]
    assert [image.refusal and image.refusal.code for image in store.all_of(batch)] == ["bad_key", None, "bad_key"]


def test_an_upload_is_its_uploaders_however_its_key_is_written(
    client: FlaskClient, deployment: Deployment, feeder: Feeder
) -> None:
    upload = client.post("/api/v1/upload", data=b"x", content_type="image/jpeg").json["images"][0]["id"]
    queued(deployment)
    forms = ["{}", "/{}", "{}/", "//{}//", "./{}", "a/../{}", "/./{}/.", "../{}", "a/../../{}"]
    reply = by_reference(client, keys=[form.format(upload) for form in forms])
    assert reply.json["counts"]["failed"] == len(forms)
    assert feeder.feed(NEVER) == 0


def test_keys_that_are_no_tidy_paths_are_queued_as_they_are(
    client: FlaskClient, feeder: Feeder, fleet: Fleet, listener: Listener
) -> None:
    keys = ["/q/a.png", "q/a.png", "q/a.png/", "q//a.png", "./q/a.png", "q/../a.png", "q/\ta.png", "...", "..a/b"]
    for key in keys:
        fleet.deployment.in_bucket.put(key, f"label:{keys.index(key)}".encode())
    reply = by_reference(client, keys=keys)
    assert feeder.feed(NEVER) == len(keys)
    fleet.serve()
    listener.poll(0)
    images = client.get(reply.json["url"]).json["images"]
    assert {image["key"]: image["label"] for image in images} == {key: str(n) for n, key in enumerate(keys)}


@pytest.mark.parametrize("key", ["..", "../a", "/../a", "a/../../b", "a/./../../b"])
def test_a_key_above_the_root_is_refused_at_once_as_s3_would_each_time(client: FlaskClient, key: str) -> None:
    reply = by_reference(client, keys=[key])
    [image] = client.get(reply.json["url"]).json["images"]
    assert image["error"]["code"] == "bad_key"
    assert "S3" in image["error"]["detail"]


def test_an_object_that_is_not_there_is_an_error_of_the_worker_and_not_of_the_request(
    client: FlaskClient, deployment: Deployment, feeder: Feeder
) -> None:
    assert by_reference(client, keys=["none.jpg"]).status_code == 202
    assert by_reference(client, prefix="none/").status_code == 404


def test_another_bucket_is_a_403_that_names_the_one_that_can_be_read(
    client: FlaskClient, settings: WebSettings
) -> None:
    reply = by_reference(client, bucket="somebody-elses", keys=["1.jpg"])
    assert (reply.status_code, reply.mimetype) == (403, "application/problem+json")
    assert settings.in_bucket in reply.json["detail"]
    assert by_reference(client, bucket=settings.in_bucket, keys=["1.jpg"]).status_code == 202


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 422),
        (b'{"keys": []}', 422),
        (b'{"keys": ["a"], "prefix": "a"}', 422),
        (b'{"bucket": "novatest-in-bucket"}', 422),
        (b'{"prefix": ""}', 422),
        (b'{"keys": [1]}', 422),
        (b'{"keys": ["\\ud800"]}', 400),
        (b'{"kyes": ["a"]}', 422),
        (b" " * (16 * 1024 * 1024 + 1), 413),
    ],
)
def test_a_body_that_is_wrong_makes_no_batch(client: FlaskClient, store: Store, body: bytes, status: int) -> None:
    reply = client.post("/api/v1/batches", data=body, content_type="application/json")
    assert (reply.status_code, reply.mimetype) == (status, "application/problem+json")
    with store.database.reading() as db:
        assert db.execute("SELECT count(*) FROM batches").fetchone() == (0,)


def test_a_repeated_request_makes_no_second_batch(client: FlaskClient, deployment: Deployment, feeder: Feeder) -> None:
    put(deployment, "a/1.jpg")
    for body in ({"keys": ["1.jpg", "2.jpg"]}, {"prefix": "a/"}, {}):
        first, second = (by_reference(client, f"key of {body}", **body) for _ in range(2))
        assert second.json == first.json
    assert by_reference(client, "key of {}", keys=["1.jpg"]).status_code == 422
    feeder.feed(NEVER)
    assert len(queued(deployment)) == 3


def test_deleting_a_batch_leaves_the_objects_of_others_and_stops_its_listing(
    client: FlaskClient, deployment: Deployment, feeder: Feeder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web_tier.references.PAGE", 2)
    put(deployment, "a/1.jpg", "a/2.jpg", "a/3.jpg")
    batch = by_reference(client, prefix="a/").json["batch"]
    assert client.delete(f"/api/v1/batches/{batch}").status_code == 204
    assert feeder.feed(NEVER) == 0
    assert list(deployment.in_bucket.keys()) == ["a/1.jpg", "a/2.jpg", "a/3.jpg"]


def test_a_stream_of_events_goes_on_until_a_batch_is_filled(
    app: Flask, client: FlaskClient, deployment: Deployment, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web_tier.references.PAGE", 1)
    put(deployment, "a/1.jpg", "a/2.jpg")
    batch = by_reference(client, prefix="a/").json["batch"]
    references = tier_of(app).references
    stream = changes(store, tier_of(app).notifier, batch, 0, heartbeat_seconds=0.05)
    fleet_answers(store, batch)
    assert '"pending":0' in next(piece for piece in stream if "event: counts" in piece)
    while references.list_on(1e10):
        pass
    fleet_answers(store, batch)
    told = "".join(stream)
    assert "a/2.jpg" in told
    assert told.endswith('event: end\ndata: {"reason":"answered"}\n\n')


def fleet_answers(store: Store, batch: str) -> None:
    images = [image for image in store.all_of(batch) if image.pending]
    store.record(
        [Result(id=image.id, batch=batch, name=image.name, label="cat", score=1, worker="i-1") for image in images], 2.0
    )


def test_thousands_of_keys_are_entered_at_once_and_their_changes_come_in_pages(
    client: FlaskClient, store: Store
) -> None:
    reply = by_reference(client, keys=[f"{number:06}.jpg" for number in range(10_000)])
    assert (reply.status_code, reply.json["counts"]["total"]) == (202, 10_000)
    news = client.get(reply.json["url"]).json
    assert news["more"]
    assert 1000 <= len(news["images"]) <= 1500
    assert [image["key"] for image in news["images"][:2]] == ["000000.jpg", "000001.jpg"]


def test_the_request_names_bucket_and_key(client: FlaskClient, deployment: Deployment, feeder: Feeder) -> None:
    by_reference(client, keys=["a/1.jpg"])
    feeder.feed(NEVER)
    [message] = deployment.request_queue.receive(wait_seconds=0)
    request = Request.parse(message.body)
    assert (request.bucket, request.key, request.name) == (deployment.in_bucket.name, "a/1.jpg", "1.jpg")
