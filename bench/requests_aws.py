"""The light stand-in for AWS, here with an account of what it is asked: calls by service, action and resource.

`python -m bench.requests_aws PORT LATENCY_MS`; `GET /account` tells the calls since the last time, and the bytes of all
objects that were stored, by bucket.
"""

import asyncio
import json
import re
import sys
from collections import Counter

from bench.peers.novaburst.aws import Whole
from bench.worker_aws import main
from novaburst.settings import Settings

PATH = "/account"
_OF_AN_OBJECT = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
_OF_A_BUCKET = {"GET": "ListObjects", "HEAD": "HeadBucket", "POST": "DeleteObjects"}


class Accountant(Whole):
    """Counts each call once, when it comes."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: Counter[str] = Counter()
        self._stored: Counter[str] = Counter()

    async def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes, str]:
        """Status, body and content type of one call."""
        if path == PATH:
            account = json.dumps({"calls": self._calls, "stored": self._stored}).encode()
            self._calls.clear()
            self._stored.clear()
            return 200, account, "application/json"
        asked = call(method, path, headers, body)
        self._calls[asked] += 1
        if method == "PUT":
            self._stored[asked.split()[2]] += len(body)
        return await super().answer(method, path, headers, body)


def call(method: str, path: str, headers: dict[str, str], body: bytes) -> str:
    """What was asked, as `service action resource`, the resource without the prefix; S3 is addressed by path."""
    if target := headers.get("x-amz-target"):
        asked = json.loads(body)
        queue = asked.get("QueueUrl") or asked.get("QueueName", "")
        return f"sqs {target.rpartition('.')[2]} {_own_name(queue.rpartition('/')[2])}"
    if found := re.search(rb"(?:^|&)Action=(\w+)", body):
        return f"ec2 {found[1].decode()} -"
    _, bucket, *key = path.split("/", 2)
    action = (_OF_AN_OBJECT if any(key) else _OF_A_BUCKET)[method]
    return f"s3 {action} {_own_name(bucket)}"


def _own_name(resource: str) -> str:
    return resource.removeprefix(f"{Settings.model_fields['prefix'].default}-")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]) / 1000, Accountant()))
