"""A worker knows its instance id from IMDSv2, or it does not start."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from worker_ami.worker import imds
from worker_ami.worker.imds import InstanceMetadataError, instance_id

INSTANCE = "i-0123456789abcdef0"


class MetadataService(ThreadingHTTPServer):
    """IMDSv2 as far as the worker asks it: a token first, then the id for that token only."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.body = INSTANCE
        self.failures = 0
        self.token_status = 200

    @property
    def environment(self) -> dict[str, str]:
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{self.server_port}/"}


class _Answers(BaseHTTPRequestHandler):
    server: MetadataService

    def do_PUT(self) -> None:
        lifetime = int(self.headers["X-aws-ec2-metadata-token-ttl-seconds"])
        assert self.path == "/latest/api/token"
        assert 1 <= lifetime <= 21600
        if self.server.failures:
            self.server.failures -= 1
            self._answer(503, "")
        else:
            self._answer(self.server.token_status, "a token")

    def do_GET(self) -> None:
        permitted = self.headers["X-aws-ec2-metadata-token"] == "a token"
        known = self.path == "/latest/meta-data/instance-id"
        self._answer(200 if permitted and known else 401, self.server.body)

    def _answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test says what matters."""


@pytest.fixture
def service() -> Iterator[MetadataService]:
    with MetadataService() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_id_is_asked_for_with_a_token(service: MetadataService) -> None:
    assert instance_id(service.environment) == INSTANCE


def test_a_service_that_is_late_after_boot_is_asked_again(service: MetadataService) -> None:
    service.failures = 2
    assert instance_id(service.environment) == INSTANCE


@pytest.mark.parametrize("body", ["", "<html>401</html>", "i-", "i-XYZ", INSTANCE + "\n0"])
def test_an_empty_or_unreadable_id_is_a_reason_to_stop(service: MetadataService, body: str) -> None:
    service.body = body
    with pytest.raises(InstanceMetadataError, match="no instance id"):
        instance_id(service.environment)


def test_a_refused_token_is_a_reason_to_stop(service: MetadataService) -> None:
    service.token_status = 403
    with pytest.raises(InstanceMetadataError, match="403"):
        instance_id(service.environment)


def test_a_service_that_does_not_recover_is_a_reason_to_stop(
    service: MetadataService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imds, "_RETRIES", imds._RETRIES.new(backoff_factor=0))
    service.failures = 1000
    with pytest.raises(InstanceMetadataError, match="latest/api/token"):
        instance_id(service.environment)
