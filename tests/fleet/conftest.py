"""One embedded AWS with the real template and the really deployed Lambda for all tests of this folder."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.deploy import deploy
from local_cloud import lambda_deployment
from local_cloud.preflight import free_port
from tests.fleet.faulty_aws import AUTHKEY, Manager
from tests.fleet.fleet import IDLE_SECONDS, LAMBDA_ENVIRONMENT, MINUTE_SECONDS, Fleet, aws_environment, until
from tests.unit.worker_ami.baked import FOLDER, baked_model

PROJECT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    baked_model()
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "orders").mkdir()
    port, faults_port = free_port(), free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "tests.fleet.faulty_aws", str(faults_port), "--port", str(port)]
    command += ["--state", str(folder / "state"), "--model", str(FOLDER)]
    command += ["--boot-seconds", "1", "--minute-seconds", str(MINUTE_SECONDS)]
    command += ["--worker-command", f"{sys.executable} -I -S {HERE / 'fake_worker.py'} {folder / 'orders'}"]
    output = folder / "output"
    with output.open("wb") as out, (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=out, stderr=errors, env=aws_environment(""))
    try:
        until(lambda: process.poll() is not None or f"embedded aws: {endpoint}\n" in output.read_text(), 60)
        assert process.poll() is None, (folder / "errors").read_text()
        Manager.register("faults")
        manager = Manager(("127.0.0.1", faults_port), AUTHKEY)
        manager.connect()
        fleet = Fleet(process, endpoint, folder, manager.faults())  # type: ignore[attr-defined] # registered above
        deploy(
            Fleet.prefix,
            {"ImageId": "ami-12c6146b", "IdleSeconds": str(IDLE_SECONDS), "VisibilityTimeout": "40"},
            fleet.clients["cloudformation"],
        )
        staged = folder / "lambda"
        lambda_deployment.stage(PROJECT, staged, {"NOVABURST_PREFIX": Fleet.prefix, **LAMBDA_ENVIRONMENT})
        lambda_deployment.deploy(staged, aws_environment(endpoint))
        yield fleet
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.fixture
def fleet(deployment: Fleet) -> Iterator[Fleet]:
    """The deployment at rest: no work, no instance, no fault."""
    deployment.clean()
    yield deployment
    deployment.faults.calm()
