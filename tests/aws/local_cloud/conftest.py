"""One embedded AWS for all tests of this folder, in a process of its own; its workers do as their settings say."""

import io
import os
import signal
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from local_cloud.preflight import free_port

FAKE_WORKER = """
import json, os, pathlib, sys, time
seen = {"pid": os.getpid(), "environment": dict(os.environ), "cores": sorted(os.sched_getaffinity(0))}
pathlib.Path("seen.tmp").write_text(json.dumps(seen))
pathlib.Path("seen.tmp").rename("seen.json")
mode = os.environ.get("NOVABURST_MODE", "wait")
if mode == "crash":
    sys.exit(3)
while mode != "finish":
    time.sleep(60)
"""


@dataclass
class Cloud:
    """A running embedded AWS."""

    process: "subprocess.Popen[bytes]"
    endpoint: str
    state: Path
    output: Path
    clients: dict[str, Any] = field(default_factory=dict)
    # An image that moto knows.
    image_id = "ami-12c6146b"

    def client(self, service: str) -> Any:
        """A client, made once for each service; any thread may use it."""
        if service not in self.clients:
            self.clients[service] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name="us-east-1",
                aws_access_key_id="local",
                aws_secret_access_key="local",
            )
        return self.clients[service]

    def queue(self, **attributes: str) -> str:
        url: str = self.client("sqs").create_queue(QueueName=self.new_name("queue"), Attributes=attributes)["QueueUrl"]
        return url

    def queue_arn(self, url: str) -> str:
        attributes = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        arn: str = attributes["Attributes"]["QueueArn"]
        return arn

    def function(self, source: str, name: str = "", timeout: int = 10, **environment: str) -> str:
        """Deploy a function with `handler(event, context)` in `source`; its ARN."""
        answer = self.client("lambda").create_function(
            FunctionName=name or self.new_name("function"),
            Runtime="python3.12",
            Role=self.role(),
            Handler="app.handler",
            Timeout=timeout,
            Code={"ZipFile": self.archive(app=source)},
            Environment={"Variables": environment},
        )
        arn: str = answer["FunctionArn"]
        return arn

    def role(self) -> str:
        trust = '{"Version": "2012-10-17", "Statement": []}'
        role = self.client("iam").create_role(RoleName=self.new_name("role"), AssumeRolePolicyDocument=trust)
        arn: str = role["Role"]["Arn"]
        return arn

    def messages(self, url: str, count: int = 1, timeout: float = 10) -> list[str]:
        """The bodies of the next `count` messages; they are deleted."""
        bodies: list[str] = []
        deadline = time.monotonic() + timeout
        sqs = self.client("sqs")
        while len(bodies) < count and time.monotonic() < deadline:
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                bodies.append(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    @staticmethod
    def archive(**modules: str) -> bytes:
        """A function's zip with a file for each module."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as files:
            for name, source in modules.items():
                files.writestr(f"{name}.py", source)
        return packed.getvalue()

    @staticmethod
    def new_name(kind: str) -> str:
        return f"{kind}-{uuid.uuid4().hex[:12]}"

    @staticmethod
    def eventually(holds: Callable[[], object], timeout: float = 15) -> Any:
        """What `holds` gives as soon as it gives something true."""
        deadline = time.monotonic() + timeout
        while not (result := holds()):
            assert time.monotonic() < deadline, "it never came to hold"
            time.sleep(0.05)
        return result

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def _start(folder: Path, *, boot_seconds: float = 0.6, start_seconds: float = 0) -> Cloud:
    """Start an embedded AWS and wait for its ready line."""
    worker = folder / "worker.py"
    worker.write_text(FAKE_WORKER)
    port = free_port()
    command = [sys.executable, "-m", "local_cloud.server", "--port", str(port), "--state", str(folder / "state")]
    command += ["--model", str(folder / "model"), "--minute-seconds", "1"]
    command += ["--boot-seconds", str(boot_seconds), "--start-seconds", str(start_seconds)]
    command += ["--worker-command", f"{sys.executable} {worker}"]
    output = folder / "output"
    with output.open("wb") as out, (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(command, stdout=out, stderr=errors, env={"PATH": os.environ["PATH"]})
    cloud = Cloud(process, f"http://127.0.0.1:{port}", folder / "state", output)
    try:
        cloud.eventually(lambda: output.read_text().startswith(f"embedded aws: {cloud.endpoint}\n"), timeout=60)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return cloud


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    cloud = _start(tmp_path_factory.mktemp("cloud"))
    yield cloud
    cloud.stop()
    assert cloud.process.returncode == 0


@pytest.fixture(scope="session")
def slow_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One whose instances stay pending so long that a busy machine, too, can act on them before they boot."""
    cloud = _start(tmp_path_factory.mktemp("slow"), boot_seconds=5, start_seconds=1)
    yield cloud
    cloud.stop()


@pytest.fixture
def start_cloud() -> Iterator[Callable[[Path], Cloud]]:
    """Start further ones, each with a folder; those that still run at the end are killed."""
    started: list[Cloud] = []

    def start(folder: Path) -> Cloud:
        started.append(_start(folder))
        return started[-1]

    yield start
    for cloud in started:
        cloud.process.kill()
        cloud.process.wait()
