"""How far a machine is, as `/readyz` says."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from web_tier.nova.ready import Readiness, probe, wait


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        _, status, kind = self.path.split("/", 2)
        self.send_response(int(status))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Answers) as listening:
        thread = Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("path", "readiness"),
    [
        ("200/application/json", Readiness.READY),
        ("503/application/problem+json", Readiness.INSTALLED),
        ("503/text/html", Readiness.SILENT),
        ("502/text/html", Readiness.SILENT),
        ("404/application/json", Readiness.SILENT),
    ],
)
def test_nginx_without_a_web_tier_is_not_taken_for_one(server: str, path: str, readiness: Readiness) -> None:
    assert probe(f"{server}/{path}") is readiness


def test_where_nothing_listens_it_is_silent() -> None:
    assert probe("http://127.0.0.1:9/readyz") is Readiness.SILENT


def test_it_looks_until_it_sees_what_is_wanted() -> None:
    seen = iter([Readiness.SILENT, Readiness.INSTALLED, Readiness.READY])
    slept: list[float] = []
    far = wait("", lambda r: r is Readiness.READY, 60, clock=lambda: 0.0, sleep=slept.append, look=lambda _: next(seen))
    assert far is Readiness.READY
    assert len(slept) == 2


def test_it_looks_at_least_once_and_gives_up_in_time() -> None:
    now = iter([0.0, 1.0, 3.0, 5.0])
    looks: list[str] = []

    def look(url: str) -> Readiness:
        looks.append(url)
        return Readiness.SILENT

    far = wait("u", lambda r: r is Readiness.READY, 4, clock=lambda: next(now), sleep=lambda _: None, look=look)
    assert far is Readiness.SILENT
    assert looks == ["u"] * 3
