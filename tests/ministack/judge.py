"""ministack in a process of its own: the second opinion on what our parts say to AWS, and on what they make of answers.

What it gets wrong, and the embedded AWS right, is not asked of it: EC2 (RunInstances ignores launch templates and
client tokens, no instance runs), alarms (those with metric math are refused, none is evaluated), and an SNS event
without the members that are empty, which AWS always sends.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import requests

from infra.deploy import TEMPLATE
from tests.e2e.cloud import free_port, until

PROJECT = Path(__file__).resolve().parents[2]
_PYTHON = PROJECT / ".ministack" / "venv" / "bin" / "python"


class Judge:
    """A running ministack: the environment of whoever shall reach it, and clients of its services."""

    def __init__(self, endpoint: str) -> None:
        self.environment = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        self._session = boto3.Session("testing", "testing", region_name="us-east-1")
        self._endpoint = endpoint

    def client(self, service: str) -> Any:
        """A client of a service."""
        return self._session.client(service, endpoint_url=self._endpoint)  # type: ignore[call-overload]

    def log(self, function: str) -> str:
        """All that a function of the Lambda has logged."""
        logs = self.client("logs")
        group = f"/aws/lambda/novaburst-scaling-local-{function}"
        if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            return ""
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return "\n".join(event["message"] for page in pages for event in page["events"])


@contextmanager
def judge(folder: Path) -> Iterator[Judge]:
    """It, on loopback, with its files and its log in `folder`, until the end of the block."""
    assert _PYTHON.exists(), "ministack is not installed: make test-ministack does both"
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        # By default it listens to the whole network.
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
    }
    endpoint = f"http://127.0.0.1:{port}"
    with running([str(_PYTHON), "-m", "ministack"], environment, folder / "ministack.log", folder) as log:
        until(lambda: answers(endpoint), 60, log.read_text)
        yield Judge(endpoint)


@contextmanager
def running(command: list[str], environment: Mapping[str, str], log: Path, folder: Path = PROJECT) -> Iterator[Path]:
    """A process until the end of the block; its log."""
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=dict(environment), cwd=folder, stdout=output, stderr=output) as process,
    ):
        try:
            yield log
        finally:
            process.terminate()


def answers(url: str) -> bool:
    """Whether somebody answers there, and not with a fault."""
    try:
        return requests.get(url, timeout=5).status_code < 500
    except requests.RequestException:
        return False


def template_without_metric_math() -> str:
    """Our template but for the alarms that ministack refuses."""
    blocks = re.split(r"(?m)^(?=  \w+:$)", TEMPLATE.read_text())
    return "".join(block for block in blocks if "\n      Metrics:\n" not in block)
