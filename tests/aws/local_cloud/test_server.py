"""The embedded AWS's own process: what it leaves behind, and how it refuses to start."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from conftest import Cloud


def _busy(cloud: "Cloud") -> list[psutil.Process]:
    """Give it an instance with a worker and a function that runs, and say which processes these are."""
    cloud.client("ec2").run_instances(ImageId=cloud.image_id, MinCount=1, MaxCount=2)
    endless = cloud.function("import time\ndef handler(event, context): time.sleep(60)", timeout=60)
    cloud.client("lambda").invoke(FunctionName=endless, Payload=json.dumps({}), InvocationType="Event")
    warm = cloud.function("def handler(event, context): return 1")
    cloud.client("lambda").invoke(FunctionName=warm)
    cloud.eventually(lambda: len(cloud.children()) == 4)
    return cloud.children()


def test_after_sigterm_nothing_that_it_started_runs_and_its_port_is_closed(
    start_cloud: Callable[[Path], "Cloud"], tmp_path: Path
) -> None:
    cloud = start_cloud(tmp_path)
    started = _busy(cloud)
    cloud.stop()
    assert cloud.process.returncode == 0
    assert not [process for process in started if process.is_running()]
    start = subprocess.run(["curl", "--silent", cloud.endpoint], check=False)
    assert start.returncode == 7


def test_after_sigkill_nothing_that_it_started_runs(start_cloud: Callable[[Path], "Cloud"], tmp_path: Path) -> None:
    cloud = start_cloud(tmp_path)
    started = _busy(cloud)
    cloud.process.kill()
    cloud.process.wait()
    cloud.eventually(lambda: not [process for process in started if process.is_running()], timeout=5)


def test_a_port_in_use_is_one_clear_line(cloud: "Cloud", tmp_path: Path) -> None:
    port = cloud.endpoint.rsplit(":", 1)[-1]
    command = [sys.executable, "-m", "local_cloud.server", "--port", port]
    command += ["--state", str(tmp_path / "state"), "--model", str(tmp_path)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith(f"Port {port} is in use")


@pytest.mark.parametrize("verb", ["GET", "HEAD"])
def test_a_request_that_is_no_aws_call_does_not_hurt(cloud: "Cloud", verb: str) -> None:
    subprocess.run(["curl", "--silent", "--request", verb, "--max-time", "5", cloud.endpoint + "/x"], check=False)
    assert "QueueUrl" in cloud.client("sqs").create_queue(QueueName="still-there")
