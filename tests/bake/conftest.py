"""An embedded AWS whose instances boot the baked root folder. `make bake` runs these tests, alone with their loopback.

unshare --net sh -c 'ip link set lo up && .venv/bin/pytest tests/bake --root FOLDER'
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cloud.preflight import free_port
from tests.bake.deployment import Deployment, deployed


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--root", type=Path, required=True, help="What `python -m worker_ami.chroot --out` has made.")


@pytest.fixture(scope="session")
def root(pytestconfig: pytest.Config) -> Path:
    folder: Path = pytestconfig.getoption("--root")
    return folder.resolve()


@pytest.fixture(scope="module")
def deployment(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment of the template, on an AWS of its own, and nothing launched yet."""
    state = tmp_path_factory.mktemp("cloud")
    port = free_port()
    command = [sys.executable, "-m", "local_cloud.server", "--port", str(port), "--state", str(state)]
    command += ["--model", "/opt/novaburst/model", "--boot-seconds", "0"]
    command += ["--worker-command", f"{sys.executable} -m worker_ami.chroot.start {root}"]
    with (state / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield deployed(f"http://127.0.0.1:{port}", state)
    finally:
        server.terminate()
        server.wait(60)
        for output in (state / "server.log", *state.glob("instances/*/worker.log")):
            print(f"--- {output.name}\n{output.read_text(errors='replace')[-4000:]}")
