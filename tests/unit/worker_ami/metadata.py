"""A stand-in for IMDSv2 as far as the worker asks it."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

INSTANCE = "i-0123456789abcdef0"


class MetadataService(ThreadingHTTPServer):
    """IMDSv2 as far as the worker asks it: a token first, then the id and any notices, for that token only."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.body = INSTANCE
        self.failures = 0
        self.token_status = 200
        self.token = "a token"
        self.notices: dict[str, str] = {}

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
            self._answer(self.server.token_status, self.server.token)

    def do_GET(self) -> None:
        known = {"instance-id": self.server.body} | self.server.notices
        if self.headers["X-aws-ec2-metadata-token"] != self.server.token:
            return self._answer(401, "")
        text = known.get(self.path.removeprefix("/latest/meta-data/"))
        return self._answer(404, "") if text is None else self._answer(200, text)

    def _answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test says what matters."""
