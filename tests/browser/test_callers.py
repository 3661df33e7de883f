"""Clients that hang up, and clients that are answered while they send: what gunicorn sees of them, through nginx."""

import re
import socket
import time
from collections import Counter
from contextlib import ExitStack

import pytest
import requests
from urllib3.filepost import encode_multipart_formdata

from tests.e2e.cloud import until
from tests.e2e.nginx import Nginx

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


@pytest.mark.parametrize("chunked", [False, True])
def test_a_refusal_before_a_large_body_is_read_is_what_its_client_is_told(nginx: Nginx, chunked: bool) -> None:
    told: Counter[int] = Counter()
    for size in (1_500_000, 5_000_000, 20_000_000):
        for _ in range(10):
            pieces = (b"x" * 100_000 for _ in range(size // 100_000))
            body = pieces if chunked else b"x" * size
            headers = {"Content-Type": "image/jpeg"}
            url = f"{nginx.url}/api/v1/upload?batch=unknown"
            told[requests.post(url, data=body, headers=headers, timeout=60).status_code] += 1
    assert told == {404: 30}


def test_files_that_were_taken_are_told_of_however_much_follows_them(nginx: Nginx) -> None:
    files = [("photo", (f"{number}.jpg", b"x")) for number in range(3)]
    body, kind = encode_multipart_formdata([*files, ("photo", ("more.jpg", b"x" * 180_000_000))])
    for _ in range(8):
        reply = requests.post(f"{nginx.url}/api/v1/upload", data=body, headers={"Content-Type": kind}, timeout=120)
        assert (reply.status_code, reply.json()["accepted"]) == (202, 3)


def test_a_refusal_before_a_large_body_is_read_leaves_the_connection_for_the_next_request(processes: str) -> None:
    with ExitStack() as stack:
        client = connected(port_of(processes), stack)
        client.sendall(IMAGE % (b"/api/v1/upload?batch=unknown", 5_000_000) + b"x" * 5_000_000)
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n")
        answers = client.makefile("rb").read()
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"404", b"200"]


def test_clients_that_trickle_on_behind_a_refusal_hold_no_thread_for_long(processes: str) -> None:
    with ExitStack() as stack:
        clients = [connected(port_of(processes), stack) for _ in range(_THREADS)]
        for client in clients:
            client.sendall(IMAGE % (b"/api/v1/upload?batch=unknown", 20_000_000))
            assert client.recv(1000).startswith(b"HTTP/1.1 404 ")
        until(lambda: not [client for client in clients if _takes_more(client)], 30)
        assert answers_at_once(processes)


def _takes_more(client: socket.socket) -> bool:
    try:
        return client.send(b"x") == 1
    except OSError:
        return False


def test_under_a_host_name_with_an_underscore_a_browsers_requests_are_taken(nginx: Nginx) -> None:
    host = f"photo_tier:{nginx.port}"
    address = f"{nginx.url}/api/v1/batches"
    for origin, status in ((f"http://{host}", 201), ("http://evil_tier", 403), ("null", 403)):
        reply = requests.post(address, headers={"Host": host, "Origin": origin}, timeout=60)
        assert reply.status_code == status


def test_where_a_request_names_no_host_no_origin_is_ours(processes: str) -> None:
    with ExitStack() as stack:
        client = connected(port_of(processes), stack)
        client.sendall(f"POST /api/v1/batches HTTP/1.0\r\nOrigin: {processes}\r\n\r\n".encode())
        assert client.makefile("rb").read().startswith(b"HTTP/1.0 403 ")
