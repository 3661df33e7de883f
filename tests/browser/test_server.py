"""What only a real server on a real socket shows: waiting clients, broken bodies, readable refusals."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import requests
from urllib3.filepost import encode_multipart_formdata

from tests.browser.conftest import Site

BOUNDARY = "b0undary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def form(*files: tuple[str, bytes]) -> bytes:
    return encode_multipart_formdata([("photos", file) for file in files], BOUNDARY)[0]


def test_a_hundred_waiting_clients_are_held_and_the_server_still_answers_others(site: Site) -> None:
    names = [f"test_{number}.jpg" for number in range(100)]
    site.labels |= {name: f"thing {name}" for name in names}
    site.working.clear()
    with ThreadPoolExecutor(100) as pool:

        def classify(name: str) -> tuple[int, str]:
            reply = requests.post(site.url, files={"inputFile": (name, b"x")}, timeout=240)
            return reply.status_code, reply.text

        replies = [pool.submit(classify, name) for name in names]
        before = requests.get(f"{site.url}/api/v1/status", timeout=30).json()["images"]["total"]
        deadline = time.monotonic() + 180
        while requests.get(f"{site.url}/api/v1/status", timeout=30).json()["images"]["pending"] < 100:
            assert time.monotonic() < deadline, before
            time.sleep(0.1)
        assert not any(reply.done() for reply in replies)
        assert requests.get(f"{site.url}/healthz", timeout=30).ok
        site.working.set()
        answers = [reply.result() for reply in replies]
    assert answers == [(200, f"{name.removesuffix('.jpg')}:thing {name}") for name in names]


def test_a_body_over_the_limit_is_refused_in_json_that_the_client_can_read(site: Site) -> None:
    files = {"photo": ("huge.jpg", b"x" * (21 * 2**20))}
    reply = requests.post(f"{site.url}/api/v1/upload", files=files, timeout=60)
    assert reply.status_code == 413
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert "at most 20,971,520" in reply.json()["detail"]


def test_a_file_over_the_limit_is_refused_in_json_that_the_client_can_read(site: Site) -> None:
    files = {"photo": ("large.jpg", b"x" * (15 * 2**20))}
    reply = requests.post(f"{site.url}/api/v1/upload", files=files, timeout=60)
    assert (reply.status_code, reply.json()["code"]) == (413, "too_large")


def test_a_client_that_stops_half_way_still_reads_which_files_were_taken(site: Site) -> None:
    body = form(("1.jpg", b"one"), ("2.jpg", b"x" * 100_000))
    address = urlsplit(site.url)
    head = f"POST /api/v1/upload HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(head.encode() + body[:50_000])
        connection.shutdown(socket.SHUT_WR)
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    assert reply.startswith(b"HTTP/1.1 202 ")
    answer = json.loads(reply.partition(b"\r\n\r\n")[2])
    codes = [(image["name"], (image["error"] or {}).get("code")) for image in answer["images"]]
    assert codes == [("1.jpg", None), ("2.jpg", "upload_incomplete")]


def test_a_body_of_unknown_length_is_read_to_its_end(site: Site) -> None:
    body = form(*((f"{number}.jpg", b"x" * 10_000) for number in range(5)))

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 7_000):
            yield body[start : start + 7_000]

    reply = requests.post(f"{site.url}/api/v1/upload", data=pieces(), headers={"Content-Type": FORM}, timeout=60)
    assert (reply.status_code, reply.json()["accepted"], reply.json()["shortfall"]) == (202, 5, None)
