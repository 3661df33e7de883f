"""How far a machine is, as `/readyz` says."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from web_tier.nova.ready import Readiness, Sight, probe, wait
from web_tier.readiness import readiness


class _Answers(BaseHTTPRequestHandler):
    body = b""

    def do_GET(self) -> None:
        _, status, kind = self.path.split("/", 2)
        self.send_response(int(status))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

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


@pytest.fixture
def answered(server: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], Sight]:
    """What is seen of a web tier that is not ready and answers with this body."""

    def look(body: bytes) -> Sight:
        monkeypatch.setattr(_Answers, "body", body)
        return probe(f"{server}/503/application/problem+json")

    return look


@pytest.mark.parametrize(
    ("path", "far"),
    [
        ("200/application/json", Readiness.READY),
        ("503/application/problem+json", Readiness.INSTALLED),
        ("503/text/html", Readiness.SILENT),
        ("502/text/html", Readiness.SILENT),
        ("404/application/json", Readiness.SILENT),
    ],
)
def test_nginx_without_a_web_tier_is_not_taken_for_one(server: str, path: str, far: Readiness) -> None:
    assert probe(f"{server}/{path}") == Sight(far)


def test_where_nothing_listens_it_is_silent() -> None:
    assert probe("http://127.0.0.1:9/readyz") == Sight(Readiness.SILENT)


def refuse(code: str) -> Callable[[], None]:
    def probe() -> None:
        raise ClientError({"Error": {"Code": code}}, "HeadBucket")

    return probe


def keyless() -> None:
    raise NoCredentialsError


def unreached() -> None:
    raise EndpointConnectionError(endpoint_url="https://s3.amazonaws.com")


@pytest.mark.parametrize(
    ("met", "ahead", "failed", "lacks_key"),
    [
        (keyless, None, ("credentials", "in-bucket"), True),
        (refuse("InvalidClientTokenId"), 0, ("credentials", "in-bucket"), True),
        (refuse("AccessDenied"), 0, ("in-bucket",), False),
        (refuse("404"), 0, ("in-bucket",), False),
        (unreached, None, ("in-bucket",), False),
        # No key helps before the clock is right.
        (refuse("SignatureDoesNotMatch"), 400, ("clock", "in-bucket"), False),
    ],
)
def test_what_has_failed_is_read_and_whether_a_key_is_what_it_lacks(
    answered: Callable[[bytes], Sight],
    met: Callable[[], None],
    ahead: float | None,
    failed: tuple[str, ...],
    lacks_key: bool,
) -> None:
    checks = readiness({"store": lambda: None}, {"in-bucket": met}, lambda: ahead)
    sight = answered(json.dumps({"status": 503, "checks": [asdict(check) for check in checks]}).encode())
    assert (sight.readiness, sight.failed, sight.lacks_key) == (Readiness.INSTALLED, failed, lacks_key)
    assert str(sight) == f"installed; failed: {', '.join(failed)}"


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"checks": 1}', b'{"checks": [{"name": "credentials"}]}'])
def test_of_an_answer_in_another_form_nothing_is_concluded(answered: Callable[[bytes], Sight], body: bytes) -> None:
    sight = answered(body)
    assert sight == Sight(Readiness.INSTALLED)
    assert not sight.lacks_key


def test_it_looks_until_it_sees_what_is_wanted() -> None:
    seen = iter(map(Sight, (Readiness.SILENT, Readiness.INSTALLED, Readiness.READY)))
    slept: list[float] = []
    last = wait("", lambda s: s.ready, 60, clock=lambda: 0.0, sleep=slept.append, look=lambda _: next(seen))
    assert last.ready
    assert len(slept) == 2


def test_it_looks_at_least_once_and_gives_up_in_time() -> None:
    now = iter([0.0, 1.0, 3.0, 5.0])
    looks: list[str] = []

    def look(url: str) -> Sight:
        looks.append(url)
        return Sight(Readiness.SILENT)

    last = wait("u", lambda s: s.ready, 4, clock=lambda: next(now), sleep=lambda _: None, look=look)
    assert last == Sight(Readiness.SILENT)
    assert looks == ["u"] * 3
