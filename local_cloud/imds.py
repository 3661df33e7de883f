"""The instance metadata service of one instance: IMDSv2, on a loopback port of its own."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local_cloud.instance import InstanceView

Tree = Mapping[str, "Tree | str"]
# The longest life of a session token, in seconds (6 hours).
_MAX_TOKEN_SECONDS = 21_600
_TOKEN_PATH = "/latest/api/token"  # noqa: S105 - a path
_CREDENTIALS_LIFE = timedelta(hours=6)


def document(instance: InstanceView, now: datetime) -> Tree:
    """Everything that the service tells, as a tree of folders and texts; credentials expire six hours after `now`."""
    meta_data: dict[str, Tree | str] = {
        "ami-id": instance.image_id,
        "ami-launch-index": str(instance.launch_index),
        "instance-id": instance.id,
        "instance-life-cycle": "on-demand",
        "instance-type": instance.type,
        "local-ipv4": instance.private_address,
        "placement": {"availability-zone": instance.zone, "region": instance.region},
    }
    if instance.metadata_tags is not None:
        meta_data["tags"] = {"instance": dict(instance.metadata_tags)}
    if instance.role is not None:
        meta_data["iam"] = {"security-credentials": {instance.role: _credentials(now)}}
    tree: dict[str, Tree | str] = {
        "meta-data": meta_data,
        "dynamic": {"instance-identity": {"document": _identity(instance)}},
    }
    if instance.user_data:
        tree["user-data"] = instance.user_data
    return {"latest": tree}


def look_up(tree: Tree, path: str) -> str | None:
    """The text at `path`, or a folder's list of names (folders end with a slash), or None where nothing is."""
    node: Tree | str = tree
    for part in filter(None, path.split("/")):
        if isinstance(node, str) or part not in node:
            return None
        node = node[part]
    if isinstance(node, str):
        return node
    # As on EC2: the roles and the tags are listed without a slash, being texts.
    return "\n".join(name if isinstance(child, str) else f"{name}/" for name, child in node.items())


class Tokens:
    """The session tokens that were given out, each until its own end."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends: dict[str, float] = {}

    def issue(self, seconds: int) -> str:
        """A new token, valid for that many seconds."""
        now = self._clock()
        self._ends = {token: end for token, end in self._ends.items() if end > now}
        token = secrets.token_urlsafe(40)
        self._ends[token] = now + seconds
        return token

    def valid(self, token: str) -> bool:
        """Whether the token was given out and has not ended."""
        return self._ends.get(token, 0) > self._clock()


class MetadataService:
    """Serves one instance's metadata until it is stopped; `view` is asked at each request, so tags stay fresh."""

    def __init__(self, view: Callable[[], InstanceView]) -> None:
        tokens = Tokens()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                if self.path != _TOKEN_PATH:
                    return self._answer(404, "")
                try:
                    seconds = int(self.headers["X-aws-ec2-metadata-token-ttl-seconds"])
                except (TypeError, ValueError):
                    return self._answer(400, "")
                if not 1 <= seconds <= _MAX_TOKEN_SECONDS:
                    return self._answer(400, "")
                return self._answer(200, tokens.issue(seconds), {"X-aws-ec2-metadata-token-ttl-seconds": str(seconds)})

            def do_GET(self) -> None:
                # IMDSv1 (no token) is refused always: the launch template requires tokens.
                if not tokens.valid(self.headers.get("X-aws-ec2-metadata-token", "")):
                    return self._answer(401, "")
                text = look_up(document(view(), datetime.now(UTC)), self.path)
                return self._answer(404, "") if text is None else self._answer(200, text)

            def _answer(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
                body = text.encode()
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Requests are not logged."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """The base URL, for AWS_EC2_METADATA_SERVICE_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _credentials(now: datetime) -> str:
    return json.dumps(
        {
            "Code": "Success",
            "LastUpdated": _iso(now),
            "Type": "AWS-HMAC",
            "AccessKeyId": "ASIALOCALCLOUDWORKER",
            "SecretAccessKey": "local",
            "Token": "local",
            "Expiration": _iso(now + _CREDENTIALS_LIFE),
        }
    )


def _identity(instance: InstanceView) -> str:
    return json.dumps(
        {
            "accountId": instance.account,
            "availabilityZone": instance.zone,
            "imageId": instance.image_id,
            "instanceId": instance.id,
            "instanceType": instance.type,
            "privateIp": instance.private_address,
            "region": instance.region,
        }
    )


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
