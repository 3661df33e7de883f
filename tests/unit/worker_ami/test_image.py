"""The machine image can be built, and its unit keeps the contract with the worker's exit status."""

import configparser
import json
import os
import subprocess
from pathlib import Path

import pytest

from scaling_lambda.settings import Settings as LambdaSettings
from worker_ami.worker.settings import WorkerSettings

PROJECT = Path(__file__).resolve().parents[3]
TEMPLATE = PROJECT / "worker_ami" / "packer.json"


@pytest.fixture(scope="module")
def builder() -> dict[str, object]:
    (found,) = json.loads(TEMPLATE.read_text())["builders"]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def unit() -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # its documented way to keep the case of keys
    parser.read(PROJECT / "worker_ami" / "systemd" / "novaburst-worker.service")
    return {key: value for section in parser.sections() for key, value in parser[section].items()}


@pytest.mark.parametrize("network", [(), ("-var", "subnet_id=subnet-0a1b2c3d", "-var", "public_address=true")])
def test_the_template_is_valid_to_packer_without_any_credentials(tmp_path: Path, network: tuple[str, ...]) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CHECKPOINT_DISABLE": "1"}
    done = subprocess.run(
        ["packer", "validate", "-var", "region=us-east-1", *network, str(TEMPLATE)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_instance_that_bakes_can_be_put_where_there_is_no_default_vpc(builder: dict[str, object]) -> None:
    # Packer takes an empty value for none, which leaves the choice to EC2.
    variables = json.loads(TEMPLATE.read_text())["variables"]
    assert (variables["subnet_id"], variables["public_address"]) == ("", "")
    assert builder["subnet_id"] == "{{user `subnet_id`}}"
    assert builder["associate_public_ip_address"] == "{{user `public_address`}}"


def test_the_image_s_volume_is_encrypted_and_its_snapshots_are_tagged(builder: dict[str, object]) -> None:
    assert builder["encrypt_boot"] is True
    assert builder["tags"]
    assert builder["snapshot_tags"]


def test_the_instance_that_bakes_is_restricted_to_imdsv2_before_anything_else() -> None:
    first = json.loads(TEMPLATE.read_text())["provisioners"][0]
    assert first["type"] == "shell-local"
    assert "require_imdsv2.py" in first["command"]


def test_every_script_that_the_template_names_exists_and_stops_at_its_first_error() -> None:
    named = [script for step in json.loads(TEMPLATE.read_text())["provisioners"] for script in step.get("scripts", [])]
    scripts = [Path(script.replace("{{template_dir}}", str(TEMPLATE.parent))) for script in named]
    assert scripts
    for script in scripts:
        assert "set -euo pipefail" in script.read_text()
        subprocess.run(["bash", "-n", str(script)], check=True)


def test_a_finished_worker_powers_the_machine_off_and_a_crash_is_answered_with_a_restart(unit: dict[str, str]) -> None:
    assert unit["SuccessAction"] == "poweroff"
    assert unit["Restart"] == "on-failure"
    assert "FailureAction" not in unit


def test_a_run_of_crashes_powers_the_machine_off(unit: dict[str, str]) -> None:
    assert unit["StartLimitAction"] == "poweroff"
    # Five starts of a worker that gives up after two minutes without its queue must count as one run.
    assert int(unit["StartLimitIntervalSec"]) > int(unit["StartLimitBurst"]) * 150


def test_a_boot_that_never_reaches_the_worker_powers_the_machine_off(unit: dict[str, str]) -> None:
    assert unit["JobTimeoutAction"] == "poweroff"
    assert 120 <= int(unit["JobTimeoutSec"]) <= 900


def test_a_failed_stage_of_cloud_init_and_the_emergency_shell_power_the_machine_off() -> None:
    script = (PROJECT / "worker_ami" / "provision" / "service.sh").read_text()
    assert "for unit in cloud-init-local cloud-init cloud-config; do" in script
    assert "FailureAction=poweroff" in script
    assert "emergency.service.d" in script


def test_an_old_worker_ends_itself_with_the_status_that_powers_off_before_the_lambda_does(unit: dict[str, str]) -> None:
    assert unit["SuccessAction"] == "poweroff"
    assert WorkerSettings.load().max_age_seconds < LambdaSettings.load({}).limits.max_age.total_seconds()


def test_the_unit_s_port_is_the_one_that_nginx_passes_on(unit: dict[str, str]) -> None:
    port = unit["Environment"].removeprefix("NOVABURST_STATUS_PORT=")
    assert f"proxy_pass http://127.0.0.1:{port};" in (PROJECT / "worker_ami/nginx/novaburst-worker.conf").read_text()


def test_the_agent_ships_the_file_that_the_unit_makes_the_worker_write(unit: dict[str, str]) -> None:
    agent = json.loads((PROJECT / "worker_ami" / "cloudwatch" / "agent.json").read_text())
    (shipped,) = agent["logs"]["logs_collected"]["files"]["collect_list"]
    assert shipped["file_path"] == f"/var/log/{unit['LogsDirectory']}/worker.log"


def test_a_child_that_is_killed_for_its_memory_does_not_end_the_worker(unit: dict[str, str]) -> None:
    assert unit["OOMPolicy"] == "continue"


def test_a_worker_without_signs_of_life_is_restarted_later_than_one_image_may_take(unit: dict[str, str]) -> None:
    assert int(unit["WatchdogSec"]) > WorkerSettings.load().image_seconds


def test_the_worker_gets_longer_to_stop_than_it_takes(unit: dict[str, str]) -> None:
    assert int(unit["TimeoutStopSec"]) > 8
