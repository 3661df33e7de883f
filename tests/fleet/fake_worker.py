"""A worker that costs nothing to start: takes messages, "classifies" each for a moment, deletes it, ends when idle.

Run as `python -I -S fake_worker.py ORDERS`. A file in the folder ORDERS tells workers to be another kind: `real` is the
real one; `asleep` never works, and `tireless` never ends itself and takes its time: one worker obeys these, and the
file is gone.
"""

import http.client
import json
import os
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
QUEUE = f"{ENDPOINT}/123456789012/{os.environ['NOVABURST_PREFIX']}-req-queue"
IDLE_SECONDS = int(os.environ["NOVABURST_IDLE_SECONDS"])
SCOPE = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0"


def order(folder: Path) -> str:
    """The order that this worker got, or ''."""
    if (folder / "real").exists():
        return "real"
    for name in ("asleep", "tireless"):
        try:
            (folder / name).unlink()
        except FileNotFoundError:
            continue
        return name
    return ""


def call(action: str, **parameters: Any) -> Any:
    """One call to SQS."""
    connection = http.client.HTTPConnection(urlsplit(ENDPOINT).netloc, timeout=30)
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"AmazonSQS.{action}",
        "Authorization": SCOPE,
    }
    connection.request("POST", "/", json.dumps({"QueueUrl": QUEUE, **parameters}), headers)
    answer = connection.getresponse().read()
    connection.close()
    return json.loads(answer or "{}")


def work(order: str) -> None:
    """Until nothing has come for the idle time."""
    busy = time.monotonic()
    while order == "tireless" or time.monotonic() - busy < IDLE_SECONDS:
        for message in call("ReceiveMessage", MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
            time.sleep(2 if order == "tireless" else 0.01)
            call("DeleteMessage", ReceiptHandle=message["ReceiptHandle"])
            busy = time.monotonic()


kind = order(Path(sys.argv[1]))
if kind == "asleep":
    time.sleep(3600)
if kind == "real":
    os.execv(sys.executable, [sys.executable, "-m", "worker_ami.worker"])  # noqa: S606 - no shell is wanted
work(kind)
