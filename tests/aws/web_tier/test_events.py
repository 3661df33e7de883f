import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from novaburst.contract import Result
from web_tier.events import changes
from web_tier.images import Image, State
from web_tier.settings import WebSettings
from web_tier.store import Store
from web_tier.tier import tier_of

Event = tuple[str, int | None, Any]


def read(text: str) -> list[Event]:
    """The events of a stream: kind, id, data."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            identity = int(fields["id"]) if "id" in fields else None
            found.append((fields["event"], identity, json.loads(fields["data"])))
    return found


def label(image_id: str) -> Result:
    return Result(id=image_id, batch="b", name="cat.jpg", label="cat", score=1, worker="i-1")


@pytest.fixture
def batch(store: Store) -> str:
    store.add_batch("b", 1.0)
    for image_id in "123":
        store.add_image(Image(image_id, "b", f"{image_id}.jpg", 5, State.QUEUED, 100.0))
    return "b"


def test_an_answered_batch_is_told_whole_and_ends(client: FlaskClient, batch: str, store: Store) -> None:
    store.record([label(image_id) for image_id in "123"], 101.0)
    reply = client.get("/api/v1/batches/b/events")
    assert reply.mimetype == "text/event-stream"
    assert reply.headers["X-Accel-Buffering"] == "no"
    told = read(reply.text)
    assert [kind for kind, _, _ in told] == ["image", "image", "image", "counts", "end"]
    assert [data for kind, _, data in told if kind == "image"] == client.get("/api/v1/batches/b").json["images"]
    assert told[3][2] == {"total": 3, "done": 3, "failed": 0, "pending": 0}
    assert told[4][2] == {"reason": "answered"}


def test_images_of_one_transaction_share_a_revision_that_only_the_last_one_gives(
    client: FlaskClient, batch: str, store: Store
) -> None:
    store.record([label(image_id) for image_id in "123"], 101.0)
    identities = [
        identity for kind, identity, _ in read(client.get("/api/v1/batches/b/events").text) if kind == "image"
    ]
    revision = client.get("/api/v1/batches/b").json["revision"]
    assert identities == [None, None, revision]


@pytest.mark.parametrize("by_header", [True, False])
def test_who_comes_back_goes_on_after_the_last_revision_seen(
    client: FlaskClient, batch: str, store: Store, by_header: bool
) -> None:
    store.record([label("1")], 101.0)
    seen = client.get("/api/v1/batches/b").json["revision"]
    store.record([label("2"), label("3")], 102.0)
    if by_header:
        reply = client.get("/api/v1/batches/b/events?since=0", headers={"Last-Event-ID": str(seen)})
    else:
        reply = client.get(f"/api/v1/batches/b/events?since={seen}")
    assert [data["id"] for kind, _, data in read(reply.text) if kind == "image"] == ["2", "3"]


def test_results_are_told_as_they_arrive(app: Flask, client: FlaskClient, batch: str, store: Store) -> None:
    stream: Iterator[str] = changes(store, tier_of(app).notifier, "b", 0)
    seen = ""
    while '"pending":3' not in seen:
        seen += next(stream)
    for image_id in "123":
        store.record([label(image_id)], 101.0)
        while f'"id":"{image_id}"' not in seen.rpartition('"state":"done"')[0].rpartition("event: ")[2]:
            seen += next(stream)
    assert read("".join(stream))[-1][:1] == ("end",)


def test_a_stream_where_nothing_happens_gives_signs_of_life(app: Flask, batch: str, store: Store) -> None:
    stream = changes(store, tier_of(app).notifier, "b", 0, heartbeat_seconds=0.01)
    assert any(piece.startswith(":") for piece in stream)


def test_a_deleted_batch_ends_its_streams(app: Flask, client: FlaskClient, batch: str, store: Store) -> None:
    stream = changes(store, tier_of(app).notifier, "b", 0)
    next(stream)
    client.delete("/api/v1/batches/b")
    assert read("".join(stream))[-1] == ("end", None, {"reason": "deleted"})


def test_an_empty_batch_waits_for_its_first_image(app: Flask, store: Store) -> None:
    store.add_batch("b", 1.0)
    stream = changes(store, tier_of(app).notifier, "b", 0)
    assert "counts" in next(piece for piece in stream if "event" in piece)
    store.record([label("1")], 2.0)
    assert [kind for kind, _, _ in read("".join(stream))] == ["image", "counts", "end"]


@pytest.mark.parametrize("last", ["", "x", "-1", "1.5"])
def test_a_revision_that_is_none_is_a_400(client: FlaskClient, batch: str, last: str) -> None:
    assert client.get("/api/v1/batches/b/events", headers={"Last-Event-ID": last}).status_code == 400
    assert client.get(f"/api/v1/batches/b/events?since={last}", headers={"Last-Event-ID": "0"}).status_code == 400


def test_no_batch_is_no_stream(client: FlaskClient) -> None:
    reply = client.get("/api/v1/batches/none/events")
    assert (reply.status_code, reply.mimetype) == (404, "application/problem+json")


def test_a_stream_beyond_the_bound_is_refused_in_words_and_one_that_ended_makes_room(
    app: Flask, client: FlaskClient, batch: str, settings: WebSettings
) -> None:
    held = [client.get("/api/v1/batches/b/events", buffered=False) for _ in range(settings.max_streams)]
    reply = client.get("/api/v1/batches/b/events")
    assert (reply.status_code, reply.mimetype) == (503, "application/problem+json")
    assert reply.headers["Retry-After"]
    assert "since" in reply.json["detail"]
    held.pop().close()
    with client.get("/api/v1/batches/b/events", buffered=False) as another:
        assert another.status_code == 200
    for stream in held:
        stream.close()


def test_asking_for_the_head_of_a_stream_holds_no_place(
    app: Flask, client: FlaskClient, batch: str, settings: WebSettings
) -> None:
    for _ in range(settings.max_streams + 1):
        assert client.head("/api/v1/batches/b/events").status_code == 200


def test_two_streams_and_a_busy_store_miss_nothing(app: Flask, store: Store) -> None:
    store.add_batch("b", 1.0)
    count = 150
    for number in range(count):
        store.add_image(Image(f"{number:03}", "b", "cat.jpg", 5, State.QUEUED, 100.0))
    told: list[list[Event]] = []

    def follow() -> None:
        told.append(read("".join(changes(store, tier_of(app).notifier, "b", 0))))

    threads = [threading.Thread(target=follow) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(0, count, 3):
        store.record([label(f"{n:03}") for n in range(number, number + 3)], 101.0)
    for thread in threads:
        thread.join(60)
    for events in told:
        done = {data["id"] for kind, _, data in events if kind == "image" and data["state"] == "done"}
        assert len(done) == count
        assert events[-1][0] == "end"
