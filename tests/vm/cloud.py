"""The AWS outside of the VM: one deployment and its workers, on loopback, and no web tier.

The Lambda is left out, since building it asks a package registry: the web tier scales by hand, as on the day when the
Lambda is broken.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import requests

from infra.deploy import deploy
from local_cloud.preflight import free_port
from tests.unit.worker_ami.baked import FOLDER as MODEL
from tests.unit.worker_ami.baked import PROJECT, baked_model

PREFIX = "novavm"
REGION = "us-east-1"
# An image that moto knows.
_IMAGE = "ami-12c6146b"


@dataclass(frozen=True)
class Cloud:
    """Where it listens on this machine's loopback, and its IAM."""

    port: int
    iam: Any


@contextmanager
def deployed(folder: Path) -> Iterator[Cloud]:
    """A deployment until the end of the block; its state and logs are in `folder`."""
    baked_model()
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "operator",
        "AWS_SECRET_ACCESS_KEY": "operator",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    command = [sys.executable, "-m", "local_cloud.server", "--port", str(port), "--state", str(folder)]
    command += ["--model", str(MODEL), "--boot-seconds", "0"]
    session = boto3.Session("operator", "operator", region_name=REGION)
    with (
        (folder / "server.log").open("wb") as log,
        subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=subprocess.STDOUT, env=environment) as server,
    ):
        try:
            until(lambda: answers(f"{endpoint}/moto-api/") is not None, 60)
            deploy(PREFIX, {"ImageId": _IMAGE}, session.client("cloudformation", endpoint_url=endpoint))
            yield Cloud(port, session.client("iam", endpoint_url=endpoint))
        finally:
            server.terminate()
            server.wait(60)


def answers(address: str) -> requests.Response | None:
    """What is answered there, unless nobody is."""
    try:
        return requests.get(address, timeout=60)
    except requests.RequestException:
        return None


def until(holds: Callable[[], bool], seconds: float) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(2)
