"""The web tier behind the nginx that deployments run: limits, restarts, and the course's graders at their worst."""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import requests

from tests.e2e.cloud import NOVABURST, Cloud, free_port, started, until
from tests.e2e.course_clients import generation_2021, generation_2024
from tests.e2e.nginx import Nginx, before
from tests.photos import imagenet_photos


def bound_to(port: int, **settings: str) -> dict[str, str]:
    return {**os.environ, "NOVABURST_BIND": f"127.0.0.1:{port}", **settings}


@pytest.fixture
def nginx(cloud: Cloud, tmp_path: Path) -> Iterator[Nginx]:
    with before(bound_to(cloud.port), tmp_path / "nginx") as running:
        yield running


def master(cloud: Cloud) -> psutil.Process:
    return min(cloud.running("gunicorn"), key=lambda process: process.create_time())


def images(nginx: Nginx) -> dict[str, int]:
    counts: dict[str, int] = requests.get(f"{nginx.url}/api/v1/status", timeout=30).json()["images"]
    return counts


def test_a_body_above_the_limit_is_refused_in_json_that_a_sending_client_can_read(cloud: Cloud, tmp_path: Path) -> None:
    with before(bound_to(cloud.port, NOVABURST_MAX_UPLOAD_BYTES="1000000"), tmp_path) as nginx:
        reply = requests.post(f"{nginx.url}/api/v1/upload", files={"photo": b"x" * 20_000_000}, timeout=60)
        assert reply.status_code == 413
        assert reply.headers["Content-Type"] == "application/problem+json"
        problem = reply.json()
        assert (problem["status"], problem["code"]) == (413, "too_large")
        assert "at most 1000000" in problem["detail"]
        # A body without a length is cut off at the same limit.
        chunks = (b"x" * 100_000 for _ in range(20))
        reply = requests.post(f"{nginx.url}/api/v1/upload", data=chunks, timeout=60)
        assert reply.status_code == 413


def test_while_the_web_tier_is_away_programs_are_told_to_come_back_and_the_courses_clients_are_dropped(
    tmp_path: Path,
) -> None:
    with before(bound_to(free_port()), tmp_path) as nginx:
        reply = requests.post(f"{nginx.url}/api/v1/upload", files={"photo": b"x"}, timeout=30)
        assert (reply.status_code, reply.headers["Content-Type"]) == (502, "application/problem+json")
        assert int(reply.headers["Retry-After"]) >= 1
        assert reply.json()["status"] == 502
        page = requests.get(nginx.url, timeout=30)
        assert (page.status_code, int(page.headers["Retry-After"]) >= 1) == (502, True)
        # Any answer but a 200 would lose the image for good; on a dropped connection they send it again.
        with pytest.raises(requests.ConnectionError):
            requests.post(nginx.url, files={"inputFile": ("a.jpg", b"x")}, timeout=30)


def test_beyond_the_requests_that_the_web_tier_takes_programs_are_put_off_and_the_courses_clients_dropped(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as first:
        # A web tier of one thread, which never answers.
        one = {"NOVABURST_WEB_WORKERS": "1", "NOVABURST_WEB_THREADS": "1"}
        with before(bound_to(silent.getsockname()[1], **one), tmp_path) as nginx:
            first.connect(("127.0.0.1", nginx.port))
            first.sendall(b"GET /api/v1/status HTTP/1.1\r\nHost: n\r\n\r\n")
            silent.settimeout(60)
            held = silent.accept()[0]
            reply = requests.post(f"{nginx.url}/api/v1/upload", files={"photo": b"x" * 10_000_000}, timeout=60)
            assert (reply.status_code, reply.headers["Content-Type"]) == (503, "application/problem+json")
            assert int(reply.headers["Retry-After"]) >= 1
            assert reply.json()["status"] == 503
            with pytest.raises(requests.ConnectionError):
                requests.post(nginx.url, files={"inputFile": ("a.jpg", b"x")}, timeout=60)
            held.close()


@pytest.fixture
def many_sockets() -> Iterator[ExitStack]:
    """A stack for up to 2,000 sockets; a user's processes have 1,024 files unless they ask for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3000), hard))
    with ExitStack() as stack:
        yield stack
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connected(nginx: Nginx, many_sockets: ExitStack) -> socket.socket:
    return many_sockets.enter_context(socket.create_connection(("127.0.0.1", nginx.port), timeout=60))


def begun(path: str, whole: int, sent: int) -> bytes:
    """A POST of so many bytes, as far as that many have been sent."""
    head = f"POST {path} HTTP/1.1\r\nHost: n\r\nContent-Type: image/jpeg\r\nContent-Length: {whole}\r\n\r\n"
    return head.encode() + b"x" * sent


def test_a_thousand_connections_that_were_idle_have_an_answer_each(tmp_path: Path, many_sockets: ExitStack) -> None:
    asking = b"GET /api/v1/status HTTP/1.1\r\nHost: n\r\n\r\n"
    with before(bound_to(free_port()), tmp_path) as nginx:
        clients = [connected(nginx, many_sockets) for _ in range(1000)]
        for client in 2 * clients:
            client.sendall(asking)
            assert client.recv(64 * 1024).startswith(b"HTTP/1.1 502 ")


def test_beyond_the_requests_that_nginx_holds_programs_are_put_off(tmp_path: Path, many_sockets: ExitStack) -> None:
    with before(bound_to(free_port()), tmp_path) as nginx:
        for _ in range(1280):
            connected(nginx, many_sockets).sendall(begun("/api/v1/upload", 10, 1))
        until(lambda: requests.get(f"{nginx.url}/api/v1/status", timeout=60).status_code == 503, 60)


def test_a_slow_line_takes_no_place_in_the_web_tier_from_others(
    cloud: Cloud, tmp_path: Path, many_sockets: ExitStack
) -> None:
    one = {"NOVABURST_WEB_WORKERS": "1", "NOVABURST_WEB_THREADS": "1"}
    with before(bound_to(cloud.port, **one), tmp_path) as nginx:
        slow = connected(nginx, many_sockets)
        slow.sendall(begun("/api/v1/upload", 999_999, 10))
        reply = requests.get(f"{nginx.url}/api/v1/status", timeout=60)
        assert reply.status_code == 200
        slow.sendall(b"x" * 999_989)
        assert slow.recv(64 * 1024).startswith(b"HTTP/1.1 202 ")


@pytest.mark.parametrize("path", ["/api/v1/upload", "/"])
def test_who_has_sent_for_long_is_taken_where_others_are_put_off_until_there_is_no_place_for_him_either(
    path: str, tmp_path: Path, many_sockets: ExitStack
) -> None:
    one = {"NOVABURST_WEB_WORKERS": "1", "NOVABURST_WEB_THREADS": "1"}
    with (
        socket.create_server(("127.0.0.1", 0)) as web_tier,
        before(bound_to(web_tier.getsockname()[1], **one), tmp_path) as nginx,
    ):
        web_tier.settimeout(60)
        slow = [connected(nginx, many_sockets) for _ in range(2)]
        for client in slow:
            client.sendall(begun(path, 10, 1))
        time.sleep(2.5)
        connected(nginx, many_sockets).sendall(begun(path, 10, 10))
        many_sockets.enter_context(web_tier.accept()[0])
        assert requests.get(f"{nginx.url}/api/v1/status", timeout=60).status_code == 503
        slow[0].sendall(b"x" * 9)
        assert many_sockets.enter_context(web_tier.accept()[0]).recv(64 * 1024).endswith(b"x" * 10)
        slow[1].sendall(b"x" * 9)
        answer = slow[1].recv(64 * 1024)
        assert answer.startswith(b"HTTP/1.1 503 ") if "api" in path else answer == b""


@pytest.mark.parametrize("path", ["/api/v1/upload", "/"])
@pytest.mark.parametrize("length", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_a_large_body_and_one_of_no_said_length_pass_through_as_they_come(
    path: str, length: str, tmp_path: Path, many_sockets: ExitStack
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as web_tier,
        before(bound_to(web_tier.getsockname()[1]), tmp_path) as nginx,
    ):
        web_tier.settimeout(60)
        client = connected(nginx, many_sockets)
        client.sendall(f"POST {path} HTTP/1.1\r\nHost: n\r\n{length}\r\n\r\n".encode())
        passed = many_sockets.enter_context(web_tier.accept()[0])
        head = passed.recv(64 * 1024)
        assert head.startswith(f"POST {path} HTTP/1.1\r\n".encode())
        # gunicorn does not wait for the end of a body that it refuses.
        assert b"\r\nConnection: close\r\n" in head
        # What goes wrong behind is told as it is for any other body.
        passed.close()
        answer = client.recv(64 * 1024)
        assert answer.startswith(b"HTTP/1.1 502 ") if "api" in path else answer == b""


def test_a_refusal_before_the_body_is_read_leaves_the_connection_for_the_next_request(cloud: Cloud) -> None:
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=60) as client:
        client.sendall(begun("/api/v1/upload?wait=long", 900_000, 900_000))
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n")
        answers = client.makefile("rb").read()
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"400", b"200"]


def test_a_problem_of_nginxs_own_names_its_path_unless_that_could_break_out_of_the_json(tmp_path: Path) -> None:
    with before(bound_to(free_port(), NOVABURST_MAX_UPLOAD_BYTES="10"), tmp_path) as nginx:
        for path, status in (("/api/v1/upload?wait=2", 413), ("/api/v1/batches/%C3%A4", 502)):
            reply = requests.post(f"{nginx.url}{path}", data=b"x" * 9 if status == 502 else b"x" * 11, timeout=60)
            assert (reply.status_code, reply.json()["instance"]) == (status, path.split("?")[0])
        for path in (b'/api/","status":200,"', b"/api/\\", b"/api/\xe4"):
            with socket.create_connection(("127.0.0.1", nginx.port), timeout=60) as client:
                client.sendall(b"GET " + path + b" HTTP/1.0\r\n\r\n")
                problem = json.loads(client.makefile("rb").read().split(b"\r\n\r\n", 1)[1])
            assert (problem["status"], "instance" in problem) == (502, False)


def test_clients_that_are_put_off_together_are_told_different_times(tmp_path: Path) -> None:
    with before(bound_to(free_port()), tmp_path) as nginx:
        told = {requests.get(f"{nginx.url}/api/v1/status", timeout=60).headers["Retry-After"] for _ in range(40)}
    assert len(told) > 1
    assert all(1 <= int(seconds) <= 4 for seconds in told)


def test_events_come_through_while_their_stream_is_open(cloud: Cloud, nginx: Nginx) -> None:
    api = f"{nginx.url}/api/v1"
    batch = requests.post(f"{api}/batches", timeout=30).json()["batch"]
    with requests.get(f"{api}/batches/{batch}/events", stream=True, timeout=30) as stream:
        lines = stream.iter_lines(chunk_size=1, decode_unicode=True)
        assert next(lines).startswith("retry:")
        photo = imagenet_photos()[0].path
        with photo.open("rb") as content:
            requests.post(f"{api}/upload", params={"batch": batch}, files={"photo": content}, timeout=30)
        # Read one by one: each has come before the next was sent, or the last of them would never be seen.
        events = [line for line in lines if line.startswith("event:")]
    assert events[-1] == "event: end"
    assert "event: image" in events


def test_a_reload_answers_who_waits_and_loses_no_upload(cloud: Cloud, nginx: Nginx) -> None:
    content = imagenet_photos()[0].path.read_bytes()
    old = {process.pid for process in cloud.running("gunicorn")}
    over = threading.Event()

    def upload_on_and_on(client: int) -> Counter[tuple[int, str]]:
        seen: Counter[tuple[int, str]] = Counter()
        while not over.is_set():
            reply = requests.post(
                f"{nginx.url}/api/v1/upload",
                params={"wait": "100"},
                files={"photo": (f"{client}.jpg", content)},
                timeout=120,
            )
            seen[reply.status_code, reply.json()["images"][0]["state"]] += 1
        return seen

    # The first of them then wait for a worker to start, while their processes are replaced.
    until(lambda: not cloud.workers(), 60)
    with ThreadPoolExecutor(20) as pool:
        clients = [pool.submit(upload_on_and_on, client) for client in range(20)]
        until(lambda: images(nginx)["pending"], 60)
        master(cloud).send_signal(signal.SIGHUP)
        until(lambda: len({process.pid for process in cloud.running("gunicorn")} - old) >= 2, 60)
        until(lambda: len({process.pid for process in cloud.running("gunicorn")} & old) == 1, 120)
        over.set()
        seen = sum((client.result() for client in clients), Counter())
    assert seen.keys() == {(200, "done")}
    assert seen.total() >= 20


def test_a_submission_goes_through_a_restart_with_every_file_taken_once(
    cloud: Cloud, nginx: Nginx, tmp_path: Path
) -> None:
    content = imagenet_photos()[1].path.read_bytes()
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number:03}.jpg").write_bytes(content)
    before_it = images(nginx)["total"]
    ended = sum("web tier      ended" in line for line in cloud.output)
    with subprocess.Popen(
        [NOVABURST, "submit", folder, "--url", nginx.url, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
    ) as submission:
        until(lambda: images(nginx)["total"] > before_it, 60)
        master(cloud).terminate()
        output, errors = submission.communicate(timeout=240)
    assert sum("web tier      ended" in line for line in cloud.output) > ended
    assert submission.returncode == 0, errors
    answer = json.loads(output)
    assert sorted(image["name"] for image in answer["images"]) == [f"{number:03}.jpg" for number in range(200)]
    batch = requests.get(f"{nginx.url}/api/v1/batches/{answer['batch']}", timeout=30).json()
    assert batch["counts"] == {"total": 200, "done": 200, "failed": 0, "pending": 0}


def test_a_hundred_at_once_are_all_answered_from_a_cold_fleet_that_boots_slowly(tmp_path: Path) -> None:
    photos = imagenet_photos()
    copies = []
    for number in range(50):
        copies.append(tmp_path / f"test_{number}.jpg")
        copies[-1].write_bytes(photos[number % len(photos)].path.read_bytes())
    with (
        started(tmp_path / "state", "--boot-seconds", "40", "--max-workers", "2") as cloud,
        before(bound_to(cloud.port), tmp_path / "nginx") as nginx,
        ThreadPoolExecutor(2) as pool,
    ):
        assert not cloud.workers()
        old = pool.submit(generation_2021, f"{nginx.url}/classify", copies, 50)
        new = pool.submit(generation_2024, f"{nginx.url}/", copies, 50)
        # A file that is not answered with 200 has "lost: " in place of its label.
        labels = old.result()
        assert new.result() == {name: f"{name.removesuffix('.jpg')}:{label}" for name, label in labels.items()}
        assert not [text for text in labels.values() if text.startswith("lost")]
        assert len(labels) == 50
        log = (nginx.folder / "access.log").read_text().splitlines()
        assert Counter(line.split('"')[2].split()[0] for line in log) == {"200": 100}
