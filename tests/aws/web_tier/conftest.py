"""The web tier against moto, with a stand-in for the fleet that answers each request by its file's bytes."""

import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from botocore.loaders import JSONFileLoader
from flask import Flask
from flask.testing import FlaskClient

from novaburst.contract import Failure, Guess, Request, Result, result_key
from novaburst.error_codes import ErrorCode
from novaburst.settings import Settings
from tests.aws.web_tier.conformance import HoldingClient
from tests.query_plans import full_scans, watched
from web_tier.app import create_app
from web_tier.deployment import Deployment
from web_tier.listener import Listener
from web_tier.settings import WebSettings
from web_tier.store import Store
from web_tier.tier import tier_of


def answer(request: Request, body: bytes) -> Result:
    """A label for an image whose bytes are `label:<text>`, an error for any other."""
    about = {"id": request.id, "batch": request.batch, "name": request.name, "worker": "i-test"}
    if body.startswith(b"label:"):
        label = body[6:40].decode()
        return Result(**about, label=label, score=0.75, top5=(Guess(label=label, score=0.75),))
    return Result(**about, error=Failure(code=ErrorCode.NOT_AN_IMAGE, detail="no known format"))


@pytest.fixture(autouse=True)
def _by_the_clock_on_the_wall(tokens_turn_later: None) -> None:
    """The web tier's own evaluations go by it."""


class Fleet:
    """Workers of the test: takes requests, writes result objects, sends result messages."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._stop = threading.Event()
        self.served: list[Request] = []

    def serve(self) -> int:
        """Answer up to ten requests; how many there were."""
        parts = self.deployment
        messages = parts.request_queue.receive(wait_seconds=0)
        for message in messages:
            request = Request.parse(message.body)
            result = answer(request, parts.in_bucket.get(request.key))
            parts.out_bucket.put(result_key(result.id), result.to_json().encode())
            parts.response_queue.send([result.to_message()])
            self.served.append(request)
        parts.request_queue.delete(messages)
        return len(messages)

    def run(self, listener: Listener) -> None:
        """Serve and listen until stopped."""
        while not self._stop.is_set():
            try:
                served, news = self.serve(), listener.poll(0)
            except ClientError as error:
                # moto's queues answer 500 now and then when several threads use one.
                if error.response["Error"]["Code"] != "500":
                    raise
                continue
            if not served and not news:
                self._stop.wait(0.01)

    def stop(self) -> None:
        """End `run`."""
        self._stop.set()


@pytest.fixture(scope="package", autouse=True)
def _service_models_are_parsed_once() -> Iterator[None]:
    # Each test has a session of botocore's own, which would parse megabytes of JSON again (EC2's above all).
    with pytest.MonkeyPatch.context() as patch:
        parsed = cache(JSONFileLoader().load_file)
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: parsed(path))
        yield


@pytest.fixture(scope="package", autouse=True)
def _no_public_images() -> Iterator[None]:
    """moto's table of public AMIs takes half a second a test to load, and none of them is launched here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        yield


@pytest.fixture(autouse=True)
def _small_objects_go_through_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto answers boto3 inside this process; the quick way to S3 speaks to a server (tests/aws/novaburst)."""
    monkeypatch.setattr(Deployment, "quick_in_bucket", property(lambda deployment: deployment.in_bucket))


@pytest.fixture(autouse=True)
def _no_statement_reads_a_whole_table() -> Iterator[None]:
    with watched() as statements:
        yield
    assert full_scans(statements) == set()


@pytest.fixture
def settings(aws: Settings, tmp_path: Path) -> WebSettings:
    return WebSettings(prefix=aws.prefix, state_dir=tmp_path, max_wait_seconds=120, max_image_bytes=200_000)


@pytest.fixture
def app(settings: WebSettings) -> Iterator[Flask]:
    app = create_app(settings)
    app.test_client_class = HoldingClient
    yield app
    tier_of(app).close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def deployment(settings: WebSettings) -> Deployment:
    return Deployment(settings)


@pytest.fixture
def store(settings: WebSettings) -> Iterator[Store]:
    store = Store(settings.store_path)
    yield store
    store.close()


@pytest.fixture
def fleet(deployment: Deployment) -> Fleet:
    return Fleet(deployment)


@pytest.fixture
def listener(deployment: Deployment, store: Store) -> Listener:
    return Listener(lambda: deployment.response_queue, deployment.out_bucket, store)


@pytest.fixture
def working_fleet(fleet: Fleet, listener: Listener) -> Iterator[Fleet]:
    """The fleet and a listener at work in a thread, until the test ends."""
    thread = threading.Thread(target=fleet.run, args=(listener,))
    thread.start()
    yield fleet
    fleet.stop()
    thread.join(10)
    assert not thread.is_alive()
