"""Clients that hang up: what gunicorn sees of them, through nginx."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests

from tests.e2e.cloud import until
from tests.e2e.nginx import Nginx, before

_THREADS = 4
IMAGE = b"POST %s HTTP/1.1\r\nHost: n\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture(scope="module")
def cloud_environment(cloud_environment: dict[str, str]) -> dict[str, str]:
    """A web tier with a few threads and with limits that are met soon."""
    return cloud_environment | {
        "NOVABURST_WEB_WORKERS": "1",
        "NOVABURST_WEB_THREADS": str(_THREADS),
        "NOVABURST_MAX_FILES_PER_UPLOAD": "3",
        "NOVABURST_MAX_IMAGE_BYTES": "10000000",
        "NOVABURST_MAX_UPLOAD_BYTES": "1000000000",
    }


@pytest.fixture(scope="module")
def nginx(
    processes: str, cloud_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nginx]:
    environment = cloud_environment | {"NOVABURST_BIND": processes.removeprefix("http://")}
    with before(environment, tmp_path_factory.mktemp("nginx")) as running:
        yield running


def connected(port: int, stack: ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def taken(url: str) -> int:
    total: int = requests.get(f"{url}/api/v1/status", timeout=60).json()["images"]["total"]
    return total


def answers_at_once(url: str) -> bool:
    began = time.monotonic()
    return requests.get(f"{url}/healthz", timeout=120).ok and time.monotonic() - began < 10


@pytest.mark.parametrize("size", [10, 2_000_000])
@pytest.mark.parametrize("path", [b"/", b"/api/v1/upload?wait=600"])
def test_clients_that_hang_up_while_they_wait_leave_their_threads_to_others(
    processes: str, nginx: Nginx, path: bytes, size: int
) -> None:
    # All but one thread, so that what was taken can be asked; of the uploads half the threads wait at the most.
    waiting = _THREADS - 1 if path == b"/" else _THREADS // 2
    for _ in range(3):
        before_it = taken(processes)
        with ExitStack() as stack:
            for _ in range(waiting):
                connected(nginx.port, stack).sendall(IMAGE % (path, size) + b"x" * size)
            until(lambda known=before_it: taken(processes) == known + waiting, 60)
            time.sleep(1)
        assert answers_at_once(processes)
    # The places of uploads that wait are free again, too: another one waits, and is not told what is pending.
    with ExitStack() as stack:
        time.sleep(3)
        client = connected(nginx.port, stack)
        client.sendall(IMAGE % (b"/api/v1/upload?wait=600", size) + b"x" * size)
        client.settimeout(3)
        with pytest.raises(TimeoutError):
            client.recv(1)


def test_readers_of_a_silent_stream_that_hang_up_leave_their_threads_to_others(processes: str, nginx: Nginx) -> None:
    batch = requests.post(f"{nginx.url}/api/v1/batches", timeout=60).json()["batch"]
    for _ in range(3):
        with ExitStack() as stack:
            for _ in range(_THREADS):
                client = connected(nginx.port, stack)
                client.sendall(f"GET /api/v1/batches/{batch}/events HTTP/1.1\r\nHost: n\r\n\r\n".encode())
                assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert answers_at_once(processes)
