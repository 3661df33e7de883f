"""The web tier's AWS key is replaced while clients upload: by a new file and a reload, as on its VM."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import psutil
import pytest
import requests
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from urllib3.filepost import encode_multipart_formdata
from werkzeug.serving import make_server

from novaburst.bounds import MAX_MESSAGE_BYTES
from tests.aws.web_tier.conftest import Fleet
from tests.e2e.cloud import free_port, until
from web_tier.deployment import Deployment
from web_tier.nova.credentials import AccessKey, store
from web_tier.settings import WebSettings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

GUNICORN = Path(sys.executable).with_name("gunicorn")
OLD, NEW, OURS = "AKIAOLD", "AKIANEW", "AKIATEST"


@dataclass
class Guarded:
    """moto behind a door that knows which access keys are good, and counts what each has asked for."""

    good: set[str]
    asked: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environment: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        key = environment.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition("/")[0]
        if key in self.good:
            self.asked[key] += 1
            answer: Iterable[bytes] = self._moto(environment, start)
            return answer
        self.refused[key] += 1
        start("403 Forbidden", [("Content-Type", "application/json")])
        return [b'{"__type": "InvalidClientTokenId"}']


@pytest.fixture
def aws() -> Iterator[Guarded]:
    guarded = Guarded({OLD, OURS})
    server = make_server("127.0.0.1", free_port(), guarded, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ACCESS_KEY_ID", OURS)
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        # One that another test has made would keep that one's key.
        patch.setattr(boto3, "DEFAULT_SESSION", boto3.Session())
        yield guarded
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Tier:
    """gunicorn and a listener that read their key from a file, and the fleet that answers."""

    url: str
    key_file: Path
    environment: dict[str, str]
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, name: str, *command: str) -> None:
        self.processes[name] = subprocess.Popen([sys.executable, "-m", *command], env=self.environment)

    def listen(self) -> None:
        self.start("listener", "web_tier.listener")

    def workers(self) -> set[int]:
        return {process.pid for process in psutil.Process(self.processes["web"].pid).children()}

    def end(self, name: str) -> None:
        self.processes[name].terminate()
        assert self.processes[name].wait(60) == 0


@pytest.fixture
def tier(aws: Guarded, tmp_path: Path) -> Iterator[Tier]:
    settings = WebSettings(prefix="novakey", state_dir=tmp_path)
    s3, sqs = boto3.client("s3"), boto3.client("sqs")
    for bucket in (settings.in_bucket, settings.out_bucket):
        s3.create_bucket(Bucket=bucket)
    for queue in (
        *(settings.request_queue, settings.response_queue),
        *(settings.dead_letter_queue, settings.wake_queue),
    ):
        sqs.create_queue(QueueName=queue, Attributes={"MaximumMessageSize": str(MAX_MESSAGE_BYTES)})
    address = f"127.0.0.1:{free_port()}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_ACCESS")}
    environment = inherited | {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "NOVABURST_BIND": address,
        "NOVABURST_PREFIX": "novakey",
        "NOVABURST_STATE_DIR": str(tmp_path),
    }
    tier = Tier(f"http://{address}", tmp_path / "credentials", environment)
    bring(tier, OLD)
    tier.start("web", "gunicorn", "--config", "python:web_tier.gunicorn_config", "web_tier.app:create_app()")
    tier.listen()
    with answering(Fleet(Deployment(settings))):
        # A listener that has asked AWS has read its key.
        until(lambda: ready(tier) and psutil.Process(tier.processes["listener"].pid).net_connections(), 150)
        yield tier
        for name in tier.processes:
            tier.end(name)


@contextmanager
def answering(fleet: Fleet) -> Iterator[None]:
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            if not fleet.serve():
                stop.wait(0.05)

    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve)
        try:
            yield
        finally:
            stop.set()
            served.result()


def bring(tier: Tier, key: str) -> None:
    store(AccessKey(key, "secret"), tier.key_file, (os.getuid(), os.getgid()))


def ready(tier: Tier) -> bool:
    try:
        return requests.get(f"{tier.url}/readyz", timeout=10).ok
    except requests.RequestException:
        return False


def test_a_new_key_is_taken_by_a_reload_that_loses_no_upload_after_which_the_old_one_may_go(
    aws: Guarded, tier: Tier
) -> None:
    over, done = threading.Event(), Counter[tuple[int, str]]()

    def upload_on_and_on(client: int) -> None:
        while not over.is_set():
            reply = requests.post(
                f"{tier.url}/api/v1/upload?wait=100",
                files={"photo": (f"{client}.jpg", b"label:cat")},
                timeout=120,
            )
            done[reply.status_code, reply.json()["images"][0]["state"]] += 1

    body, kind = encode_multipart_formdata([("photo", ("slow.jpg", b"label:slow" + b" " * 1_000_000))])
    half_sent, go_on = threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield body[:500_000]
        half_sent.set()
        go_on.wait()
        yield body[500_000:]

    with ThreadPoolExecutor(5) as pool, ExitStack() as ending:
        # Also of a test that fails: the pool waits for its clients.
        ending.callback(over.set)
        ending.callback(go_on.set)
        clients = [pool.submit(upload_on_and_on, client) for client in range(4)]
        slow = pool.submit(
            requests.post, f"{tier.url}/api/v1/upload?wait=100", data=slowly(), headers={"Content-Type": kind}
        )
        assert half_sent.wait(60)
        old_workers = tier.workers()
        # IAM knows the new key, the file holds it: nothing reads it yet.
        aws.good.add(NEW)
        bring(tier, NEW)
        uploads = done.total()
        until(lambda: done.total() >= uploads + 20, 60)
        assert aws.asked[NEW] == 0
        tier.processes["web"].send_signal(signal.SIGHUP)
        tier.end("listener")
        tier.listen()
        until(lambda: aws.asked[NEW] > 50, 120)
        # Who sends slowly is still served by a process that knows the old key alone.
        go_on.set()
        assert slow.result().json()["images"][0]["state"] == "done"
        until(lambda: not tier.workers() & old_workers, 120)
        aws.good.remove(OLD)
        uploads = done.total()
        until(lambda: done.total() >= uploads + 20, 60)
        over.set()
        for client in clients:
            client.result()
    assert done.keys() == {(200, "done")}
    assert not aws.refused
    assert ready(tier)
