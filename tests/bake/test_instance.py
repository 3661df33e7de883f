"""Instances that boot the baked root: their first answer, their status behind nginx, and their end."""

import signal
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import psutil
import pytest
import requests

from tests.bake.deployment import Deployment, until
from tests.photos import larger_photos
from worker_ami.chroot.root import inside


@pytest.fixture(scope="module")
def instance(deployment: Deployment) -> str:
    """An instance that works."""
    instance = deployment.launch()
    deployment.answer(deployment.ask(larger_photos()["daisy"]))
    return instance


@pytest.fixture
def nginx(root: Path, deployment: Deployment, instance: str) -> Iterator[None]:
    """The instance's nginx, as its unit would start it."""
    disk = deployment.state / "nginx"
    disk.mkdir()
    server = subprocess.Popen(inside(root, ["nginx", "-g", "daemon off;"], disk=disk, keep_processes=True))
    try:
        yield
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def _worker() -> psutil.Process:
    # Of this test's own: workers of other systems may run on the machine.
    ours = psutil.Process().children(recursive=True)
    (found,) = (process for process in ours if process.cmdline()[1:] == ["-m", "worker_ami.worker"])
    return found


@pytest.mark.parametrize("label", ["daisy", "espresso", "missile", "palace"])
def test_an_instance_from_the_root_answers_a_photo_with_its_label(
    deployment: Deployment, instance: str, label: str
) -> None:
    result = deployment.answer(deployment.ask(larger_photos()[label]))
    assert (result.label, result.error, result.worker) == (label, None, instance)


def test_the_worker_is_its_unit_s_user_without_any_power(deployment: Deployment, instance: str, root: Path) -> None:
    status = Path(f"/proc/{_worker().pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    users = dict(line.split(":")[0:3:2] for line in (root / "etc/passwd").read_text().splitlines())
    assert set(fields["Uid"].split()) == {users["novaburst"]}
    assert {fields[name] for name in ("CapPrm", "CapEff", "CapBnd")} == {"0" * 16}
    assert fields["NoNewPrivs"] == "1"


@pytest.mark.usefixtures("nginx")
def test_nginx_passes_on_the_status_and_nothing_else(instance: str) -> None:
    def ask(path: str, method: str = "GET") -> requests.Response:
        return requests.request(method, f"http://127.0.0.1{path}", timeout=10)

    def answers() -> bool:
        try:
            return ask("/").status_code == 200
        except requests.ConnectionError:
            return False

    until(answers, 20)
    for path in ("/", "/healthz"):
        state = ask(path).json()
        assert state["instance"] == instance
        assert state.keys() >= {"version", "model", "processed", "held", "idle_seconds"}
    assert ask("/download/0").status_code == 404
    assert ask("/nginx_status").status_code == 404
    assert ask("/", "POST").status_code == 403


def test_a_worker_kept_in_standby_stops_when_idle_and_works_again_once_it_is_started(
    deployment: Deployment, instance: str
) -> None:
    deployment.on_shutdown(instance, "stop")
    until(lambda: deployment.instance_state(instance) == "stopped", 60)
    image = deployment.ask(larger_photos()["palace"])
    deployment.on_shutdown(instance, "terminate")
    deployment.ec2.start_instances(InstanceIds=[instance])
    result = deployment.answer(image)
    assert (result.label, result.worker) == ("palace", instance)


def test_an_idle_instance_powers_off_and_is_terminated(deployment: Deployment, instance: str) -> None:
    until(lambda: deployment.instance_state(instance) == "terminated", 60)
    assert deployment.log(instance)[-1]["message"] == "finished"


def test_the_first_result_comes_soon_after_the_worker_s_start(
    deployment: Deployment, instance: str, capsys: pytest.CaptureFixture[str]
) -> None:
    until(lambda: deployment.instance_state(instance) == "terminated", 60)
    image = deployment.ask(larger_photos()["daisy"])
    warm = deployment.launch()
    until((deployment.disk(warm) / "var/log/novaburst/worker.log").exists, 60)
    began = _worker().create_time()
    assert deployment.answer(image).label == "daisy"
    answered = until(lambda: next((r for r in deployment.log(warm) if r["message"] == "answered"), None), 20)
    ready = next(r["message"] for r in deployment.log(warm) if "ready" in r["message"])
    seconds = datetime.fromisoformat(answered["time"]).timestamp() - began
    with capsys.disabled():
        print(f"\nwarm disk, one core: {ready}, first result {seconds:.2f} s after it")
    assert seconds < 30
