"""A server that plays the web tier towards the client, with the faults that a test asks for."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.formparser import parse_form_data

# What a test puts in the way of an upload: (status, headers) to refuse it, or "lost" to take it and hang up.
Fault = tuple[int, dict[str, str]] | str


@dataclass
class PlayedTier:
    """What the web tier has taken, and how it misbehaves."""

    url: str = ""
    # Images by id, in the order of their arrival, and the number of each batch's last change.
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    batches: set[str] = field(default_factory=set)
    # Answers by Idempotency-Key.
    answered: dict[str, dict[str, Any]] = field(default_factory=dict)
    uploads: int = 0
    connections: int = 0
    # Asked at each upload with its number, from 1.
    fault: Callable[[int], Fault | None] = lambda number: None
    # The code with which a file of this name is refused.
    refusals: dict[str, str] = field(default_factory=dict)
    files_a_request: int = 1000
    page: int = 1000
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def names(self) -> list[str]:
        """The names of all images that were taken, sorted."""
        return sorted(image["name"] for image in self.images.values() if image["state"] == "done")

    def take(self, batch: str, files: list[tuple[str, bytes]]) -> dict[str, Any]:
        views = []
        for name, content in files[: self.files_a_request]:
            code = self.refusals.get(name)
            image = {
                "id": f"image-{len(self.images) + 1}",
                "batch": batch,
                "name": name,
                "bytes": len(content),
                "state": "failed" if code else "done",
                "label": None if code else "palace",
                "score": None if code else 0.5,
                "error": {"code": code, "detail": "no", "remedy": "Try another."} if code else None,
            }
            self.images[str(image["id"])] = image
            views.append(image)
        return {"batch": batch, "images": views}

    def batch(self, batch: str, since: int) -> dict[str, Any]:
        images = [image for image in self.images.values() if image["batch"] == batch]
        failed = sum(image["state"] == "failed" for image in images)
        counts = {"total": len(images), "done": len(images) - failed, "failed": failed, "pending": 0}
        shown = images[since : since + self.page]
        revision = since + len(shown)
        more = revision < len(images)
        seen = {"revision": revision, "more": more, "filling": False, "counts": counts, "images": shown}
        return {**seen, "created": "2026-11-25T00:00Z"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    tier: PlayedTier

    def setup(self) -> None:
        super().setup()
        self.tier.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = urlsplit(self.path)
        with self.tier.lock:
            if address.path == "/api/v1/batches":
                batch = f"batch-{len(self.tier.batches) + 1}"
                self.tier.batches.add(batch)
                self._answer(201, {"batch": batch})
                return
            self._upload(parse_qs(address.query), body)

    def _upload(self, query: dict[str, list[str]], body: bytes) -> None:
        tier = self.tier
        tier.uploads += 1
        fault = tier.fault(tier.uploads)
        if isinstance(fault, tuple):
            self._answer(fault[0], {"detail": "not now"}, fault[1])
            return
        key = self.headers["Idempotency-Key"]
        if key not in tier.answered:
            tier.answered[key] = tier.take(query["batch"][0], self._files(query, body))
        if fault == "lost":
            self.close_connection = True
            return
        self._answer(202, tier.answered[key])

    def _files(self, query: dict[str, list[str]], body: bytes) -> list[tuple[str, bytes]]:
        if "name" in query:
            return [(query["name"][0], body)]
        environ = {
            "wsgi.input": io.BytesIO(body),
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers["Content-Type"],
            "REQUEST_METHOD": "POST",
        }
        _, _, files = parse_form_data(environ)
        contents = []
        for file in files.getlist("file"):
            with file.stream as stream:
                contents.append((file.filename or "", stream.read()))
        return contents

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        batch = address.path.rsplit("/", 1)[1]
        with self.tier.lock:
            if batch not in self.tier.batches:
                self._answer(404, {"detail": "there is no such batch"})
                return
            self._answer(200, self.tier.batch(batch, int(parse_qs(address.query)["since"][0])))

    def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # All clients of a test at once.
    request_queue_size = 64


@pytest.fixture
def tier() -> Iterator[PlayedTier]:
    played = PlayedTier()
    handler = type("Handler", (_Handler,), {"tier": played})
    with _Server(("127.0.0.1", 0), handler) as server:
        played.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield played
        server.shutdown()
        thread.join()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A hundred files of 1 to 100 bytes, in four folders."""
    folder = tmp_path / "photos"
    for number in range(100):
        path = folder / f"{number % 4}" / f"{number:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (number + 1))
    return folder


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Journals lie apart for each test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
