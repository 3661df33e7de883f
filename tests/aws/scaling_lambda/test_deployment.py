"""`chalice package`, `deploy` and `delete` from a copy of what is deployed and nothing else."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from infra.chalice_config import set_prefix
from infra.deploy import deploy

PROJECT = Path(__file__).parents[3]
ENTRY = ("app.py", "requirements.txt", "scaling_lambda", "vendor", ".chalice")
# Lambda takes 50 MB; a small zip starts faster.
MAX_ZIP_BYTES = 3_000_000

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS::")


@pytest.fixture
def chalice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run the chalice command in a copy of its files."""
    unwanted = shutil.ignore_patterns("__pycache__", "deployed", "deployments")
    for name in ENTRY:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, symlinks=True, ignore=unwanted)
        else:
            shutil.copy2(source, tmp_path / name)
    set_prefix("novaburst", tmp_path / ".chalice")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    def run(*arguments: str) -> str:
        command = [str(Path(sys.executable).with_name("chalice")), *arguments]
        finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    return run


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A moto server on loopback, selected by the standard variable."""
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    yield os.environ["AWS_ENDPOINT_URL"]
    running.stop()


def test_the_package_is_small_and_holds_nothing_of_the_other_tiers(chalice: Callable[..., str], tmp_path: Path) -> None:
    chalice("package", "--stage", "prod", str(tmp_path / "out"))
    package = tmp_path / "out" / "deployment.zip"
    assert package.stat().st_size < MAX_ZIP_BYTES
    with zipfile.ZipFile(package) as archive:
        names = [Path(name) for name in archive.namelist()]
    data = (".data", ".dist-info")
    tops = {name.parts[0] for name in names if not name.parts[0].endswith(data)}
    assert tops == {
        "app.py",
        "aws_lambda_powertools",
        "chalice",
        "jmespath",
        "scaling_lambda",
        "typing_extensions.py",
    }
    ours = {name.name for name in names if name.parts[0] == "scaling_lambda"}
    assert ours == {path.name for path in (PROJECT / "scaling_lambda").glob("*.py")}


def test_deploying_wires_every_trigger_and_deleting_leaves_nothing(chalice: Callable[..., str], server: str) -> None:
    deploy("novaburst", {"ImageId": "ami-12c6146b"})
    chalice("deploy", "--stage", "local")

    functions = boto3.client("lambda")
    found = {f["FunctionName"]: f for f in functions.list_functions()["Functions"]}
    handlers = ("on_alarm", "on_schedule", "on_wake", "on_request")
    names = {f"novaburst-scaling-local-{handler}" for handler in handlers}
    assert set(found) == names
    wake = found["novaburst-scaling-local-on_wake"]
    assert wake["Handler"] == "scaling_lambda.handlers.on_wake"
    assert wake["Environment"]["Variables"]["NOVABURST_PREFIX"] == "novaburst"

    (rule,) = boto3.client("events").list_rules()["Rules"]
    assert rule["ScheduleExpression"] == "rate(1 minute)"
    (subscription,) = boto3.client("sns").list_subscriptions()["Subscriptions"]
    assert subscription["TopicArn"].endswith(":novaburst-alarms")
    assert subscription["Endpoint"].endswith(":novaburst-scaling-local-on_alarm")
    (mapping,) = functions.list_event_source_mappings()["EventSourceMappings"]
    assert mapping["EventSourceArn"].endswith(":novaburst-wake-queue")
    assert mapping["MaximumBatchingWindowInSeconds"] == 1
    assert mapping["BatchSize"] == 1000

    chalice("delete", "--stage", "local")
    assert left_over(functions) == []


def left_over(functions: Any) -> list[object]:
    roles = [r["RoleName"] for r in boto3.client("iam").list_roles()["Roles"] if "scaling" in r["RoleName"]]
    return [
        *functions.list_functions()["Functions"],
        *functions.list_event_source_mappings()["EventSourceMappings"],
        *boto3.client("events").list_rules()["Rules"],
        *boto3.client("sns").list_subscriptions()["Subscriptions"],
        *roles,
    ]
