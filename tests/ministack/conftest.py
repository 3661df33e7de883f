"""One deployment on ministack for all tests of this folder. `make test-ministack` installs it and runs them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

import infra.deploy
from local_cloud import lambda_deployment
from tests.e2e.cloud import free_port, until
from tests.ministack.deployment import SETTINGS, Deployment
from tests.ministack.judge import PROJECT, answers, judge, running, template_without_metric_math
from tests.unit.worker_ami.baked import FOLDER as MODEL
from tests.unit.worker_ami.baked import baked_model
from tests.unit.worker_ami.metadata import MetadataService


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("ministack")
    with judge(folder) as ministack, pytest.MonkeyPatch.context() as patch:
        template = folder / "template.yaml"
        template.write_text(template_without_metric_math())
        patch.setattr(infra.deploy, "TEMPLATE", template)
        client = ministack.client("cloudformation")
        parameters = {"ImageId": "ami-12c6146b"}
        outputs = infra.deploy.deploy(SETTINGS.prefix, parameters, client, poll_seconds=0.5)
        staged = folder / "lambda"
        lambda_deployment.stage(PROJECT, staged, {"NOVABURST_PREFIX": SETTINGS.prefix, "NOVABURST_WATCH_SECONDS": "0"})
        lambda_deployment.deploy(staged, ministack.environment)
        yield Deployment(ministack, outputs, staged)


@pytest.fixture(scope="session")
def web_tier(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a web tier, with its listener."""
    folder, address = tmp_path_factory.mktemp("web"), f"127.0.0.1:{free_port()}"
    environment = {**deployment.environment, "NOVABURST_BIND": address, "NOVABURST_STATE_DIR": str(folder / "state")}
    gunicorn = [str(Path(sys.executable).with_name("gunicorn")), "--config", "python:web_tier.gunicorn_config"]
    with (
        running([*gunicorn, "web_tier.app:create_app()"], environment, folder / "web.log") as log,
        running([sys.executable, "-m", "web_tier.listener"], environment, folder / "listener.log"),
    ):
        until(lambda: answers(f"http://{address}/readyz"), 120, log.read_text)
        yield f"http://{address}"


@pytest.fixture(scope="session")
def worker(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One worker: no instance of ministack's runs."""
    baked_model()
    with MetadataService() as metadata:
        Thread(target=metadata.serve_forever, daemon=True).start()
        environment = {
            **deployment.environment,
            **metadata.environment,
            "NOVABURST_MODEL_DIR": str(MODEL),
            "NOVABURST_IDLE_SECONDS": "3600",
        }
        log = tmp_path_factory.mktemp("worker") / "worker.log"
        with running([sys.executable, "-m", "worker_ami.worker"], environment, log):
            yield
        metadata.shutdown()
