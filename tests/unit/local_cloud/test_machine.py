"""How a machine's worker is started and ended; the clock is the test's own."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_cloud.instance import InstanceView
from local_cloud.machine import STOP_SECONDS, Machine, Site, machine_environment
from local_cloud.processes import Spawner
from local_cloud.supervise import PowerOff

DEAF = "import pathlib, signal, time; signal.signal(15, signal.SIG_IGN); pathlib.Path('up').touch(); time.sleep(60)"
POLITE = "import pathlib, time; pathlib.Path('up').touch(); time.sleep(60)"


def _view(user_data: str = "") -> InstanceView:
    return InstanceView(
        id="i-1",
        launch_index=0,
        state="running",
        type="t3.small",
        image_id="ami-1",
        region="us-east-1",
        zone="us-east-1a",
        account="123456789012",
        private_address="10.0.0.7",
        role=None,
        metadata_tags=None,
        user_data=user_data,
    )


@pytest.fixture
def spawner() -> Iterator[Spawner]:
    spawner = Spawner()
    yield spawner
    spawner.stop()


@pytest.fixture
def boot(spawner: Spawner, tmp_path: Path) -> Iterator[Callable[[str], Machine]]:
    machines = []

    def boot(program: str) -> Machine:
        site = Site(spawner, tmp_path, "http://127.0.0.1:1", tmp_path / "model", (sys.executable, "-c", program))
        machines.append(Machine(site, _view, core=min(os.sched_getaffinity(0))))
        machines[-1].boot(now=0)
        return machines[-1]

    yield boot
    for machine in machines:
        machine.shut_down(0)
        machine.shut_down(STOP_SECONDS)


def _wait(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_worker_that_does_not_listen_is_killed_when_the_grace_is_over(
    boot: Callable[[str], Machine], tmp_path: Path
) -> None:
    machine = boot(DEAF)
    _wait((tmp_path / "i-1" / "up").exists)
    assert not machine.shut_down(now=100)
    assert not machine.shut_down(now=100 + STOP_SECONDS - 0.1)
    assert machine.shut_down(now=100 + STOP_SECONDS)


def test_a_worker_that_listens_ends_within_the_grace(boot: Callable[[str], Machine], tmp_path: Path) -> None:
    machine = boot(POLITE)
    _wait((tmp_path / "i-1" / "up").exists)
    _wait(lambda: machine.shut_down(now=100))


def test_a_crashed_worker_is_started_again_a_second_later_and_at_most_five_times(
    boot: Callable[[str], Machine], tmp_path: Path
) -> None:
    machine = boot("import sys; print('began', flush=True); sys.exit(3)")

    def began() -> int:
        return (tmp_path / "i-1" / "worker.log").read_text().count("began")

    for now in range(4):
        _wait(lambda now=now: machine.tick(now) is None and not machine.running)
        machine.tick(now + 0.9)
        assert not machine.running
        machine.tick(now + 1)
    _wait(lambda: machine.tick(5) is PowerOff.CRASH_LOOP)
    assert began() == 5


def test_a_worker_that_has_finished_powers_off(boot: Callable[[str], Machine]) -> None:
    machine = boot("pass")
    _wait(lambda: machine.tick(1) is PowerOff.FINISHED)


def test_user_data_that_cannot_be_read_leaves_the_worker_without_settings(spawner: Spawner, tmp_path: Path) -> None:
    site = Site(spawner, tmp_path, "http://127.0.0.1:1", tmp_path / "model")
    environment = machine_environment(_view("#cloud-config\n{"), site, tmp_path, "http://127.0.0.1:2")
    assert set(environment) == {
        "PATH",
        "LANG",
        "HOME",
        "AWS_ENDPOINT_URL",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "NOVABURST_MODEL_DIR",
    }
