"""What this worker is doing, over HTTP on loopback; nginx on the instance passes it on."""

import json
import logging
import re
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from novaburst.objects import Bucket, ObjectMissingError, ObjectTooLargeError

log = logging.getLogger(__name__)

# As the contract has ids.
_DOWNLOAD = re.compile(r"/download/([A-Za-z0-9_-]{1,64})")
_JSON = "application/json"


class Downloads:
    """Input objects by id, up to a size in bytes: tries out an instance's way to S3."""

    def __init__(self, bucket: Bucket, max_bytes: int) -> None:
        self._bucket = bucket
        self._max_bytes = max_bytes

    def fetch(self, image_id: str) -> tuple[HTTPStatus, bytes]:
        """200 and the bytes, or another status and a sentence."""
        try:
            return HTTPStatus.OK, self._bucket.get(image_id, max_bytes=self._max_bytes)
        except ObjectMissingError as error:
            return HTTPStatus.NOT_FOUND, f"{error} is not there\n".encode()
        except ObjectTooLargeError as error:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{error}\n".encode()
        except (BotoCoreError, ClientError) as error:
            return HTTPStatus.BAD_GATEWAY, f"{error}\n".encode()


def serve_status(port: int, state: Callable[[], dict[str, Any]], downloads: Downloads | None) -> int | None:
    """Serve `state` as JSON under `/` and `/healthz` in a daemon thread, and `/download/<id>` if there are `downloads`.

    Returns the port, which 0 leaves to the system, or None when it is taken: a status that cannot be seen is no reason
    to do no work.
    """

    class Answers(BaseHTTPRequestHandler):
        # Seconds for which a silent client keeps its thread.
        timeout = 10
        server_version = "novaburst"
        sys_version = ""

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            if self.path in ("/", "/healthz"):
                return self._answer(HTTPStatus.OK, _JSON, f"{json.dumps(state())}\n".encode())
            if downloads and (asked := _DOWNLOAD.fullmatch(self.path)):
                status, content = downloads.fetch(asked[1])
                known = "application/octet-stream" if status == HTTPStatus.OK else "text/plain"
                return self._answer(status, known, content)
            return self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"not here\n")

        def _answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Requests are not logged."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Answers)
    except OSError as error:
        log.warning("no status on port %d: %s", port, error)
        return None
    Thread(name="status", target=server.serve_forever, daemon=True).start()
    return server.server_port
