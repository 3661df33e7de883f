"""EC2 in the embedded AWS: launches, and the life of an instance in both directions."""

import base64
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import psutil
import pytest
import requests
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from conftest import Cloud


def _launch(cloud: "Cloud", mode: str = "wait", *, shutdown: str = "terminate", **request: Any) -> list[str]:
    """Launch from a template of its own, and say which instances."""
    iam, ec2, name = cloud.client("iam"), cloud.client("ec2"), cloud.new_name("fleet")
    role = cloud.role().rsplit("/", 1)[-1]
    profile = iam.create_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    user_data = "\n".join(
        [
            "#cloud-config",
            "write_files:",
            "  - path: /etc/novaburst/worker.env",
            "    content: |",
            f"      NOVABURST_MODE={mode}",
            f"      NOVABURST_PREFIX={name}",
            "      AWS_DEFAULT_REGION=us-east-1",
        ]
    )
    ec2.create_launch_template(
        LaunchTemplateName=name,
        LaunchTemplateData={
            "ImageId": cloud.image_id,
            "InstanceType": "t3.small",
            "IamInstanceProfile": {"Arn": profile["Arn"]},
            "InstanceInitiatedShutdownBehavior": shutdown,
            "MetadataOptions": {"HttpTokens": "required", "InstanceMetadataTags": "enabled"},
            "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeType": "gp3"}}],
            "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "worker"}]}],
            "UserData": base64.b64encode(user_data.encode()).decode(),
        },
    )
    request = {"MinCount": 1, "MaxCount": 1, **request}
    launched = ec2.run_instances(LaunchTemplate={"LaunchTemplateName": name}, **request)["Instances"]
    return [instance["InstanceId"] for instance in launched]


def _describe(cloud: "Cloud", instance_id: str) -> Any:
    return cloud.client("ec2").describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]


def _state(cloud: "Cloud", instance_id: str) -> str:
    state: str = _describe(cloud, instance_id)["State"]["Name"]
    return state


def _worker(cloud: "Cloud", instance_id: str) -> Any:
    """What the fake worker saw, as soon as it has."""
    seen = cloud.state / "instances" / instance_id / "seen.json"
    cloud.eventually(seen.exists)
    return json.loads(seen.read_text())


def _ends(cloud: "Cloud", instance_id: str, state: str) -> Any:
    cloud.eventually(lambda: _state(cloud, instance_id) == state)
    return _describe(cloud, instance_id)


@pytest.fixture(autouse=True)
def _nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    for name in {"cloud", "slow_cloud"}.intersection(request.fixturenames):
        ec2 = request.getfixturevalue(name).client("ec2")
        living = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
        reservations = ec2.describe_instances(Filters=living)["Reservations"]
        if ids := [instance["InstanceId"] for reservation in reservations for instance in reservation["Instances"]]:
            ec2.terminate_instances(InstanceIds=ids)


def test_an_instance_is_pending_boots_and_runs_a_worker_with_its_user_datas_settings(slow_cloud: "Cloud") -> None:
    cloud = slow_cloud
    (instance_id,) = _launch(cloud)
    assert _state(cloud, instance_id) == "pending"
    environment = _worker(cloud, instance_id)["environment"]
    _ends(cloud, instance_id, "running")
    assert environment["NOVABURST_MODE"] == "wait"
    assert environment["AWS_ENDPOINT_URL"] == cloud.endpoint
    assert environment["NOVABURST_MODEL_DIR"].endswith("/model")
    assert not [name for name in environment if "ACCESS_KEY" in name]
    assert f"instance {instance_id} booted" in cloud.output.read_text()


def test_a_worker_gets_credentials_and_its_identity_from_its_own_metadata_service(
    cloud: "Cloud", monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = _launch(cloud, MaxCount=2)
    addresses = [_worker(cloud, id_)["environment"]["AWS_EC2_METADATA_SERVICE_ENDPOINT"] for id_ in (first, second)]
    for instance_id, address in zip((first, second), addresses, strict=True):
        ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        token = requests.put(address + "/latest/api/token", headers=ttl, timeout=5).text
        headers = {"X-aws-ec2-metadata-token": token}
        told = requests.get(address + "/latest/meta-data/instance-id", headers=headers, timeout=5).text
        name = requests.get(address + "/latest/meta-data/tags/instance/Name", headers=headers, timeout=5).text
        assert (told, name) == (instance_id, "worker")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", addresses[0])
    session = boto3.Session(region_name="us-east-1")
    assert session.get_credentials().method == "iam-role"
    assert session.client("sts", endpoint_url=cloud.endpoint).get_caller_identity()["Account"] == "123456789012"


def test_instances_take_the_cores_in_turn(cloud: "Cloud") -> None:
    cores = [_worker(cloud, id_)["cores"] for id_ in _launch(cloud, MaxCount=2)]
    assert [len(own) for own in cores] == [1, 1]
    assert len(os.sched_getaffinity(0)) == 1 or cores[0] != cores[1]


def test_a_worker_that_has_finished_ends_its_instance_as_the_launch_template_says(cloud: "Cloud") -> None:
    (instance_id,) = _launch(cloud, "finish")
    ended = _ends(cloud, instance_id, "terminated")
    assert ended["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    assert f"instance {instance_id} powered off (idle)" in cloud.output.read_text()


def test_an_instance_that_stops_at_shutdown_can_be_started_again(cloud: "Cloud") -> None:
    (instance_id,) = _launch(cloud, "finish", shutdown="stop")
    _ends(cloud, instance_id, "stopped")
    (cloud.state / "instances" / instance_id / "seen.json").unlink()
    answer = cloud.client("ec2").start_instances(InstanceIds=[instance_id])["StartingInstances"][0]
    assert answer["CurrentState"]["Name"] == "pending"
    _worker(cloud, instance_id)
    _ends(cloud, instance_id, "stopped")


def test_a_stopped_instance_starts_sooner_than_a_new_one_boots(slow_cloud: "Cloud") -> None:
    (instance_id,) = _launch(slow_cloud, "finish", shutdown="stop")
    booting = _seconds_pending(slow_cloud, instance_id)
    _ends(slow_cloud, instance_id, "stopped")
    slow_cloud.client("ec2").start_instances(InstanceIds=[instance_id])
    assert _seconds_pending(slow_cloud, instance_id) < booting


def _seconds_pending(cloud: "Cloud", instance_id: str) -> float:
    began = time.monotonic()
    cloud.eventually(lambda: _state(cloud, instance_id) != "pending")
    return time.monotonic() - began


def test_a_worker_that_keeps_crashing_is_restarted_and_then_its_instance_ends(cloud: "Cloud") -> None:
    (instance_id,) = _launch(cloud, "crash")
    _ends(cloud, instance_id, "terminated")
    assert f"instance {instance_id} powered off (crash loop)" in cloud.output.read_text()


def test_a_worker_that_is_killed_is_started_again(cloud: "Cloud") -> None:
    (instance_id,) = _launch(cloud)
    first = _worker(cloud, instance_id)["pid"]
    psutil.Process(first).kill()
    cloud.eventually(lambda: _worker(cloud, instance_id)["pid"] != first)
    assert _state(cloud, instance_id) == "running"


def test_a_terminated_instance_is_terminated_only_when_its_worker_has_ended(cloud: "Cloud") -> None:
    (instance_id,) = _launch(cloud)
    worker = psutil.Process(_worker(cloud, instance_id)["pid"])
    _ends(cloud, instance_id, "running")
    answer = cloud.client("ec2").terminate_instances(InstanceIds=[instance_id])["TerminatingInstances"][0]
    assert answer["CurrentState"]["Name"] == "shutting-down"
    _ends(cloud, instance_id, "terminated")
    assert not worker.is_running()


def test_an_instance_terminated_while_pending_never_runs_a_worker(slow_cloud: "Cloud") -> None:
    (instance_id,) = _launch(slow_cloud)
    slow_cloud.client("ec2").terminate_instances(InstanceIds=[instance_id])
    _ends(slow_cloud, instance_id, "terminated")
    assert not (slow_cloud.state / "instances" / instance_id / "seen.json").exists()


def _run(cloud: "Cloud", **request: Any) -> list[str]:
    request = {"ImageId": cloud.image_id, "MinCount": 1, "MaxCount": 1, **request}
    return [instance["InstanceId"] for instance in cloud.client("ec2").run_instances(**request)["Instances"]]


def test_as_many_instances_are_launched_as_max_count_says(cloud: "Cloud") -> None:
    assert len(_run(cloud, MinCount=1, MaxCount=3)) == 3


def test_a_launch_under_way_is_seen_whole_or_not_at_all(cloud: "Cloud") -> None:
    tag = {"Key": "novaburst:fleet", "Value": cloud.new_name("fleet")}
    tagged = [{"ResourceType": "instance", "Tags": [tag]}]
    filters = [{"Name": f"tag:{tag['Key']}", "Values": [tag["Value"]]}]
    seen = set()
    with ThreadPoolExecutor(1) as pool:
        launch = pool.submit(_run, cloud, MaxCount=10, TagSpecifications=tagged)
        while not launch.done():
            reservations = cloud.client("ec2").describe_instances(Filters=filters)["Reservations"]
            seen.add(sum(len(reservation["Instances"]) for reservation in reservations))
    assert launch.exception() is None
    assert seen <= {0, 10}


def test_a_client_token_launches_once_and_only_for_the_same_request(cloud: "Cloud") -> None:
    token = cloud.new_name("token")
    first = _run(cloud, MaxCount=2, ClientToken=token)
    assert _run(cloud, MaxCount=2, ClientToken=token) == first
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        _run(cloud, MaxCount=3, ClientToken=token)
    filters = [{"Name": "client-token", "Values": [token]}]
    reservations = cloud.client("ec2").describe_instances(Filters=filters)["Reservations"]
    assert [instance["InstanceId"] for r in reservations for instance in r["Instances"]] == first
    cloud.client("ec2").terminate_instances(InstanceIds=first)
    for instance_id in first:
        _ends(cloud, instance_id, "terminated")
    with pytest.raises(ClientError, match="IdempotentInstanceTerminated"):
        _run(cloud, MaxCount=2, ClientToken=token)


def test_every_instance_has_what_its_launch_template_says(cloud: "Cloud") -> None:
    for instance_id in _launch(cloud, MaxCount=2):
        instance = _describe(cloud, instance_id)
        assert instance["MetadataOptions"]["HttpTokens"] == "required"
        assert instance["IamInstanceProfile"]["Arn"].startswith("arn:aws:iam::123456789012:instance-profile/fleet-")
        assert {"Key": "Name", "Value": "worker"} in instance["Tags"]
        behaviour = cloud.client("ec2").describe_instance_attribute(
            InstanceId=instance_id, Attribute="instanceInitiatedShutdownBehavior"
        )
        assert behaviour["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"


def test_an_image_that_does_not_exist_is_refused(cloud: "Cloud") -> None:
    with pytest.raises(ClientError, match=r"InvalidAMIID\.NotFound"):
        _run(cloud, ImageId="ami-0123456789abcdef0")


def test_a_worker_log_is_kept(cloud: "Cloud") -> None:
    (instance_id,) = _launch(cloud)
    _worker(cloud, instance_id)
    assert Path(cloud.state / "instances" / instance_id / "worker.log").exists()


def test_an_instance_rebooted_while_pending_runs_its_worker_all_the_same(slow_cloud: "Cloud") -> None:
    (instance_id,) = _launch(slow_cloud, "finish")
    slow_cloud.client("ec2").reboot_instances(InstanceIds=[instance_id])
    _ends(slow_cloud, instance_id, "terminated")
