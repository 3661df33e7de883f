"""A real gunicorn with its listener over moto's server, a thread that plays the fleet, and a headless Chromium."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer
from playwright.sync_api import Browser, FilePayload, Page, expect, sync_playwright

from novaburst.bounds import MAX_MESSAGE_BYTES
from novaburst.contract import Failure, Guess, Request, Result, result_key
from novaburst.error_codes import ErrorCode
from tests.browser.photos import photo
from tests.e2e.nginx import Nginx, before
from web_tier.deployment import Deployment
from web_tier.settings import WebSettings
from web_tier.store import Store

CHROMIUM = "/usr/bin/chromium"
PREFIX = "novapage"
# A loaded machine may take long; an expectation that holds is met at once all the same.
expect.set_options(timeout=60_000)
SHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"


@dataclass
class Site:
    """The running web tier: its address, and the labels that the fleet gives, by file name."""

    url: str
    labels: dict[str, Result | str] = field(default_factory=dict)
    # Set while the fleet works; a test clears it to see images wait.
    working: threading.Event = field(default_factory=threading.Event)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# A file at a time: moto's state is the process's, and a mocked AWS in another file that runs in between would clear it.
@pytest.fixture(scope="module")
def cloud_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    port = free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    state = tmp_path_factory.mktemp("web")
    yield {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NOVABURST_PREFIX": PREFIX,
        "NOVABURST_STATE_DIR": str(state),
        "NOVABURST_MAX_IMAGE_BYTES": str(2**20),
        "NOVABURST_MAX_UPLOAD_BYTES": str(20 * 2**20),
    }
    server.stop()


@pytest.fixture(scope="module")
def settings(cloud_environment: dict[str, str]) -> Iterator[WebSettings]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cloud_environment.items():
            patch.setenv(name, value)
        yield WebSettings.load()


@pytest.fixture(scope="module")
def deployment(settings: WebSettings) -> Deployment:
    s3, sqs = boto3.client("s3"), boto3.client("sqs")
    for bucket in (settings.in_bucket, settings.out_bucket):
        s3.create_bucket(Bucket=bucket)
    for queue in (
        *(settings.request_queue, settings.response_queue),
        *(settings.dead_letter_queue, settings.wake_queue),
    ):
        sqs.create_queue(QueueName=queue, Attributes={"MaximumMessageSize": str(MAX_MESSAGE_BYTES)})
    return Deployment(settings)


@pytest.fixture(scope="module")
def processes(deployment: Deployment, cloud_environment: dict[str, str]) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = cloud_environment | {"NOVABURST_BIND": f"127.0.0.1:{port}"}
    gunicorn = [str(Path(sys.executable).with_name("gunicorn")), "--config", "python:web_tier.gunicorn_config"]
    running = [
        subprocess.Popen([*gunicorn, "web_tier.app:create_app()"], env=environment),
        subprocess.Popen([sys.executable, "-m", "web_tier.listener"], env=environment),
    ]
    try:
        deadline = time.monotonic() + 150
        while not _ready(url):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield url
    finally:
        for process in running:
            process.terminate()
        assert [process.wait(60) for process in running] == [0, 0]


@pytest.fixture(scope="module")
def nginx(
    processes: str, cloud_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nginx]:
    """The site before gunicorn, as that environment has it."""
    environment = cloud_environment | {"NOVABURST_BIND": processes.removeprefix("http://")}
    with before(environment, tmp_path_factory.mktemp("nginx")) as running:
        yield running


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=5).ok
    except requests.RequestException:
        return False


@pytest.fixture
def site(processes: str, deployment: Deployment) -> Iterator[Site]:
    site = Site(processes)
    site.working.set()
    stop = threading.Event()
    thread = threading.Thread(target=_serve, args=(site, deployment, stop))
    thread.start()
    yield site
    site.working.set()
    stop.set()
    thread.join(10)


@pytest.fixture
def store(site: Site, settings: WebSettings) -> Iterator[Store]:
    """The web tier's own, for batches that no worker need answer."""
    store = Store(settings.store_path)
    yield store
    store.close()


@pytest.fixture
def photos(site: Site) -> list[FilePayload]:
    chosen = {"espresso.png": "#6b3f1d", "дом.png": "#c23b3b", "snail.png": "#4a8f3c", "palace.png": "#d6a52c"}
    labels = ("espresso", "palace", "snail", "daisy")
    site.labels |= dict(zip(chosen, labels, strict=True))
    return [photo(name, colour) for name, colour in chosen.items()]


def _serve(site: Site, deployment: Deployment, stop: threading.Event) -> None:
    while not stop.is_set():
        site.working.wait()
        messages = deployment.request_queue.receive(wait_seconds=0)
        for message in messages:
            request = Request.parse(message.body)
            result = _answer(request, site.labels.get(request.name))
            deployment.out_bucket.put(result_key(result.id), result.to_json().encode())
            deployment.response_queue.send([result.to_message()])
        deployment.request_queue.delete(messages)
        if not messages:
            stop.wait(0.05)


def _answer(request: Request, label: Result | str | None) -> Result:
    about = {"id": request.id, "batch": request.batch, "name": request.name, "worker": "i-test"}
    if not isinstance(label, str):
        return Result(**about, error=Failure(code=ErrorCode.NOT_AN_IMAGE, detail="no known format"))
    top5 = [Guess(label=label, score=0.8734)]
    top5 += [Guess(label=f"{other} {label}", score=0.05 / n) for n, other in enumerate(("small", "old", "grey"), 1)]
    return Result(**about, label=label, score=top5[0].score, top5=tuple(top5))


# Ended with its file: as long as Playwright is up no other test of the process can have an event loop of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails its test on any error in its console or script, and on any request to another host."""
    context = browser.new_context(viewport={"width": 1200, "height": 860}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(60_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: None if "127.0.0.1" in request.url else faults.append(request.url))
    yield page
    context.close()
    # The previews; and a refused upload's status, which Chromium itself reports.
    expected = ("blob:", "data:", "Failed to load resource: the server responded with a status of 422")
    assert [fault for fault in faults if not fault.startswith(expected)] == []
