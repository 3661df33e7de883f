"""What the baked root folder holds, and that the services in it accept their configuration."""

import json
import shutil
import subprocess
from pathlib import Path

from tests.unit.worker_ami.agent import CONFIGURATION, prepare_command
from tests.unit.worker_ami.signer import Signer
from worker_ami.chroot.__main__ import TEMPLATE
from worker_ami.chroot.root import inside
from worker_ami.chroot.template import read_provisioning

PACKAGES = "opt/novaburst/venv/lib/python3.11/site-packages"


def run(root: Path, *command: str, disk: Path | None = None) -> str:
    done = subprocess.run(
        inside(root, command, disk=disk), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_nothing_of_the_bake_is_left(root: Path) -> None:
    for path in ("tmp", "var/tmp", "root/.cache", "var/lib/apt/lists"):
        assert [*(root / path).glob("*")] == []
    assert [*(root / "etc/ssh").glob("ssh_host_*"), *(root / "var/cache/apt/archives").glob("*.deb")] == []
    assert (root / "etc/machine-id").read_text() == ""
    assert not (root / "usr/sbin/policy-rc.d").exists()


def test_the_worker_s_environment_has_torch_for_its_engine_alone_and_nothing_else_that_it_does_not_run(
    root: Path,
) -> None:
    serves_torch = "=torch" in (root / "etc/systemd/system/novaburst-worker.service.d/engine.conf").read_text()
    there = {path.name for path in (root / PACKAGES).iterdir()}
    assert not there & {"torchvision", "onnx", "pip", "setuptools", "web_tier", "moto"}
    assert there & {"torch", "sympy"} == ({"torch", "sympy"} if serves_torch else set())


def test_there_is_no_compiler(root: Path) -> None:
    assert not [*(root / "usr/bin").glob("*gcc*"), *(root / "usr/bin").glob("*g++*"), *(root / "usr/bin").glob("make")]


def test_the_unit_is_enabled_and_systemd_finds_no_fault_in_it(root: Path) -> None:
    assert run(root, "systemctl", "is-enabled", "novaburst-worker.service").strip() == "enabled"
    assert run(root, "systemd-analyze", "verify", "--man=no", "novaburst-worker.service") == ""


def test_systemd_calls_the_unit_well_protected(root: Path) -> None:
    # In tenths: its own scale calls up to 2.0 SAFE or OK, and a unit without any option 9.6 UNSAFE.
    run(root, "systemd-analyze", "security", "--offline=true", "--threshold=20", "novaburst-worker.service")


def test_every_stage_of_cloud_init_powers_off_when_it_fails(root: Path) -> None:
    for stage in ("cloud-init-local", "cloud-init", "cloud-config"):
        assert "FailureAction=poweroff" in run(root, "systemd-analyze", "cat-config", f"systemd/system/{stage}.service")


def test_a_boot_that_ends_in_the_emergency_shell_powers_off(root: Path) -> None:
    assert "ExecStart=/usr/bin/systemctl --no-block poweroff" in run(
        root, "systemd-analyze", "cat-config", "systemd/system/emergency.service"
    )
    assert run(root, "systemd-analyze", "verify", "--man=no", "emergency.service") == ""


def test_nginx_accepts_its_configuration(root: Path) -> None:
    assert "test is successful" in run(root, "nginx", "-t")


def test_the_journal_is_bounded(root: Path) -> None:
    assert "SystemMaxUse=200M" in run(root, "systemd-analyze", "cat-config", "systemd/journald.conf")


def _agent_package(folder: Path) -> Path:
    """A package with nothing but the places of the CloudWatch agent that its provisioning uses."""
    control = "Package: amazon-cloudwatch-agent\nVersion: 1\nArchitecture: all\nMaintainer: t <t@example.org>\n"
    unit = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
    content = folder / "content"
    for path, text in {
        "DEBIAN/control": control + "Description: a stand-in\n",
        "etc/systemd/system/amazon-cloudwatch-agent.service": unit,
        "opt/aws/amazon-cloudwatch-agent/etc/readme": "",
    }.items():
        (content / path).parent.mkdir(parents=True, exist_ok=True)
        (content / path).write_text(text)
    subprocess.run(["dpkg-deb", "--build", content, folder / "agent.deb"], check=True)
    return folder / "agent.deb"


def test_a_well_signed_agent_is_installed_and_told_the_log_group_of_the_instance_s_deployment(
    root: Path, tmp_path: Path
) -> None:
    signer = Signer(tmp_path / "home")
    signer.sign(_agent_package(tmp_path))
    signer.end()
    variables = {
        "cloudwatch_agent": "file:///mnt/agent.deb",
        "cloudwatch_agent_key": signer.fingerprint,
        "cloudwatch_agent_key_url": "file:///mnt/home/key.asc",
    }
    command = read_provisioning(TEMPLATE, variables).command("/srv/provision/logs.sh", {"SOURCE": "/srv/source"})
    disk = tmp_path / "disk"
    (disk / "upper/srv").mkdir(parents=True)
    source = disk / "upper/srv/source/worker_ami"
    shutil.copytree(TEMPLATE.parent / "cloudwatch", source / "cloudwatch")
    shutil.copytree(TEMPLATE.parent / "provision", disk / "upper/srv/provision")
    install = inside(root, ["sh", "-c", command], disk=disk, lent={str(tmp_path): "/mnt"})
    subprocess.run(install, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, check=True)
    enabled = disk / "upper/etc/systemd/system/multi-user.target.wants/amazon-cloudwatch-agent.service"
    assert enabled.is_symlink()
    # An ordering that goes in a circle would be among the faults.
    assert run(root, "systemd-analyze", "verify", "--man=no", "amazon-cloudwatch-agent.service", disk=disk) == ""
    run(root, "env", "NOVABURST_PREFIX=lab-7", *prepare_command(), disk=disk)
    assert "/novaburst/lab-7/worker" in (disk / "upper" / CONFIGURATION.lstrip("/")).read_text()


def test_the_model_is_whole_and_belongs_to_root(root: Path) -> None:
    folder = root / "opt/novaburst/model"
    definition = json.loads((folder / "model.json").read_text())
    assert {path.name for path in folder.iterdir()} == {*definition["files"], "model.json"}
    assert {path.stat().st_uid for path in folder.iterdir()} == {0}
