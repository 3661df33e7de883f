"""The worker's status, by itself and behind the image's nginx."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import requests

from novaburst.objects import Bucket
from tests.aws.worker_ami.conftest import Deployment
from worker_ami.worker.status import Downloads, serve_status

SITE = Path(__file__).resolve().parents[3] / "worker_ami" / "nginx" / "novaburst-worker.conf"
STATE = {"version": "0.1.0", "processed": 3}


def start(downloads: Downloads | None = None) -> str:
    port = serve_status(0, lambda: STATE, downloads)
    assert port is not None
    return f"http://127.0.0.1:{port}"


def get(url: str) -> requests.Response:
    return requests.get(url, timeout=10)


@pytest.fixture
def downloads(deployment: Deployment) -> Downloads:
    return Downloads(deployment.in_bucket, max_bytes=100)


@pytest.mark.parametrize("path", ["/", "/healthz"])
def test_the_state_is_json(path: str) -> None:
    answer = get(start() + path)
    assert (answer.status_code, answer.json()) == (200, STATE)


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/healthz", 200), ("/else", 404)])
def test_a_head_is_answered_as_a_get_without_its_content(path: str, status: int) -> None:
    url = start() + path
    answer = requests.head(url, timeout=10)
    assert (answer.status_code, answer.content) == (status, b"")
    assert answer.headers["Content-Length"] == get(url).headers["Content-Length"]


@pytest.mark.parametrize("path", ["/else", "/download/abc", "/healthz/x"])
def test_downloads_are_off_unless_they_are_switched_on(path: str) -> None:
    assert get(start() + path).status_code == 404


def test_an_input_object_can_be_fetched(downloads: Downloads, deployment: Deployment) -> None:
    request = deployment.ask(b"the image")
    answer = get(f"{start(downloads)}/download/{request.id}")
    assert answer.content == b"the image"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_an_input_object_that_is_not_there_or_too_large_says_so(downloads: Downloads, deployment: Deployment) -> None:
    large = deployment.ask(bytes(101))
    url = start(downloads)
    assert get(f"{url}/download/nothing").status_code == 404
    assert get(f"{url}/download/{large.id}").status_code == 413
    assert get(f"{url}/download/a.b").status_code == 404


def test_a_bucket_that_cannot_be_read_is_a_bad_gateway(deployment: Deployment) -> None:
    forbidden = Downloads(Bucket(boto3.client("s3"), "Not A Bucket"), 100)
    assert get(f"{start(forbidden)}/download/abc").status_code == 502


def test_a_taken_port_is_no_reason_to_do_no_work() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert serve_status(taken.getsockname()[1], lambda: STATE, None) is None


@pytest.fixture
def nginx(tmp_path: Path, downloads: Downloads) -> Iterator[str]:
    """The address of the image's site on a free port, in front of a status."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    site = SITE.read_text().replace("listen 80 ", f"listen 127.0.0.1:{port} ")
    site = site.replace("http://127.0.0.1:8080", start(downloads))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in kinds)
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{}} http {{ {folders} {site} }}"
    )
    with subprocess.Popen(["nginx", "-c", config, "-p", tmp_path, "-e", tmp_path / "error.log"]) as process:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def test_the_image_s_nginx_passes_on_the_status_and_nothing_else(nginx: str, deployment: Deployment) -> None:
    request = deployment.ask(b"the image")
    assert get(f"{nginx}/").json() == get(f"{nginx}/healthz").json() == STATE
    assert get(f"{nginx}/download/{request.id}").content == b"the image"
    assert get(f"{nginx}/else").status_code == 404
    assert requests.post(f"{nginx}/healthz", data=b"x", timeout=10).status_code == 403
