"""The CloudWatch agent of an image that serves every deployment: it ships the log to the group of the instance's."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local_cloud.instance import ENVIRONMENT_FILE, worker_environment
from tests.unit.infra.iam import template
from tests.unit.worker_ami.agent import CONFIGURATION, FOLDER, drop_in, prepare_command


def prepare(folder: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Do on this machine what comes before the agent's start; the configuration goes to the folder."""
    places = {"/opt/novaburst/agent.json": str(FOLDER / "agent.json"), CONFIGURATION: str(folder / "written.json")}
    command = prepare_command()
    for there, here in places.items():
        assert there in command[-1]
        command[-1] = command[-1].replace(there, here)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def user_data(prefix: str) -> dict[str, str]:
    """What the launch template of that deployment writes into the instance's environment file."""
    data = template()["Resources"]["WorkerLaunchTemplate"]["Properties"]["LaunchTemplateData"]["UserData"]
    text: str = data["Fn::Base64"]["Fn::Sub"]
    return worker_environment(text.replace("${Prefix}", prefix))


@pytest.mark.parametrize("prefix", ["novaburst", "lab-7", "1234567890"])
def test_one_image_ships_the_log_of_whichever_deployment_launched_it(tmp_path: Path, prefix: str) -> None:
    done = prepare(tmp_path, user_data(prefix))
    assert done.returncode == 0, done.stderr
    written: dict[str, Any] = json.loads((tmp_path / "written.json").read_text())
    (shipped,) = written["logs"]["logs_collected"]["files"]["collect_list"]
    assert shipped["log_group_name"] == f"/novaburst/{prefix}/worker"
    assert "@" not in json.dumps(written)


def test_each_start_writes_the_group_anew(tmp_path: Path) -> None:
    prepare(tmp_path, user_data("lab-7"))
    prepare(tmp_path, user_data("lab-8"))
    assert "/novaburst/lab-8/worker" in (tmp_path / "written.json").read_text()


def test_without_a_prefix_the_agent_is_not_started_with_a_group_that_is_nobody_s(tmp_path: Path) -> None:
    assert prepare(tmp_path, {"NOVABURST_PREFIX": ""}).returncode != 0


def test_the_agent_waits_for_the_environment_file_that_cloud_init_writes() -> None:
    said = drop_in()
    assert said["After"] == "cloud-init.service"
    assert said["EnvironmentFile"] == ENVIRONMENT_FILE


def test_the_agent_s_configuration_is_one_that_it_reads() -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Agent-Configuration-File-Details.html
    configuration = json.loads((FOLDER / "agent.json").read_text())
    assert configuration.keys() == {"agent", "logs"}
    assert configuration["agent"].keys() <= {"run_as_user", "omit_hostname"}
    assert configuration["logs"].keys() == {"logs_collected", "force_flush_interval"}
    (shipped,) = configuration["logs"]["logs_collected"]["files"]["collect_list"]
    assert shipped.keys() == {"file_path", "log_group_name", "log_stream_name"}
    assert shipped["log_stream_name"] == "{instance_id}"
