"""A store that is damaged or full: words and a remedy, and no answer lost."""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import boto3
import pytest
from flask import Flask
from flask.testing import FlaskClient

from novaburst.contract import Result, new_id, result_key
from web_tier.deployment import Deployment
from web_tier.images import Image, State
from web_tier.listener import Listener
from web_tier.store import Store
from web_tier.sweeper import Sweeper
from web_tier.tier import tier_of

GUNICORN = str(Path(sys.executable).with_name("gunicorn"))


@pytest.mark.parametrize(
    "command",
    [
        [GUNICORN, "--config", "python:web_tier.gunicorn_config", "web_tier.app:create_app()"],
        [sys.executable, "-m", "web_tier.listener"],
    ],
    ids=["web tier", "listener"],
)
def test_a_damaged_store_stops_the_start_with_the_command_that_makes_it_anew(
    tmp_path: Path, command: list[str]
) -> None:
    store = tmp_path / "store.sqlite3"
    store.write_bytes(b"no database" * 1000)
    environment = os.environ | {
        "NOVABURST_STATE_DIR": str(tmp_path),
        "NOVABURST_BIND": "127.0.0.1:0",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode != 0
    assert f"the store {store} is damaged" in ended.stderr
    assert "novaburst rebuild" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert store.read_bytes().startswith(b"no database")


class Full:
    """A disk without room for the store, and then with some."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._batch = new_id()
        store.add_batch(self._batch, 1.0)
        # It never goes below what is used.
        self._limit(1)
        for length in (200, 50, 0):
            with pytest.raises(sqlite3.OperationalError, match="full"):
                self._fill(lambda row: store.add_batch(row, 1.0), length)
            with pytest.raises(sqlite3.OperationalError, match="full"):
                self._fill(lambda row: store.add_image(Image(row, self._batch, row, 1, State.QUEUED, 1.0)), length)

    def _fill(self, add: Callable[[str], None], length: int) -> None:
        for _ in range(5000):
            add("f" * length + new_id())

    def _limit(self, pages: int) -> None:
        with ExitStack() as stack:
            for _ in range(4):
                connection = stack.enter_context(self._store.database.reading())
                connection.execute(f"PRAGMA max_page_count = {pages}")

    def make_room(self) -> None:
        self._limit(1_000_000)


def test_with_a_full_disk_clients_are_told_to_come_again_and_then_are_served(app: Flask, client: FlaskClient) -> None:
    full = Full(tier_of(app).store)
    for reply in (client.post("/api/v1/batches"), client.post("/api/v1/upload", data=b"x", content_type="image/png")):
        assert reply.status_code == 503
        assert reply.headers["Retry-After"]
    full.make_room()
    assert client.post("/api/v1/batches").status_code == 201


def test_results_wait_in_the_queue_while_the_disk_is_full(
    deployment: Deployment, store: Store, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    queue = deployment.response_queue
    boto3.client("sqs").set_queue_attributes(QueueUrl=queue.url, Attributes={"VisibilityTimeout": "1"})
    full = Full(store)
    result = Result(id="a", batch="b", name="cat.jpg" * 30, label="cat", score=1, worker="i-1")
    queue.send([result.to_message()])
    stop = threading.Event()
    thread = threading.Thread(target=listener.listen, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 60
    while "see the disk" not in caplog.text and time.monotonic() < deadline:
        thread.join(0.01)
    stop.set()
    thread.join(60)
    assert "see the disk" in caplog.text
    assert queue.depth().backlog == 1
    full.make_room()
    while not listener.poll(1):
        assert time.monotonic() < deadline
    image = store.image("a")
    assert image is not None
    assert image.result == result


def test_a_file_damaged_under_the_running_web_tier_is_said_with_its_remedy(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    def damaged(*_: object) -> None:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "add_batch", damaged)
        assert client.post("/api/v1/batches").status_code == 503
    assert "novaburst rebuild" in caplog.text


def test_a_result_of_a_later_version_leaves_its_image_pending_until_it_can_be_read(
    deployment: Deployment, store: Store, listener: Listener
) -> None:
    now = 1_000_000.0
    store.add_batch("b", now)
    store.add_image(Image("a", "b", "cat.jpg", 1, State.QUEUED, now))
    deployment.in_bucket.put("a", b"jpeg")
    deployment.out_bucket.put(result_key("a"), b'{"v":2,"id":"a"}')
    deployment.response_queue.send(['{"v":2,"id":"a"}'])
    listener.poll(0)
    sweeper = Sweeper(deployment, store, lambda: None, clock=lambda: now)
    for _ in range(8):
        now += 400
        sweeper.sweep()
        [image] = store.images(["a"]).values()
        assert image.state is State.QUEUED
    readable = Result(id="a", batch="b", name="cat.jpg", label="cat", score=1, worker="i-1")
    deployment.out_bucket.put(result_key("a"), readable.to_json().encode())
    now += 400
    sweeper.sweep()
    assert store.counts("b").done == 1
