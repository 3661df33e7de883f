"""What becomes of the workers of the old image when a deployment gets a new one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.deploy import deploy
from infra.upgrade import Upgrade, UpgradeError, replace_outdated
from novaburst.settings import Settings
from scaling_lambda.fleet import KEEP_TAG, LEAVE_TAG, STANDBY_TAG, Counts
from scaling_lambda.observe import Observer
from scaling_lambda.policy import decide
from scaling_lambda.reserve import startable
from scaling_lambda.settings import Settings as LambdaSettings

# moto's CloudFormation leaves these out and says so; the local cloud completes them from the template.
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS::")

OLD, NEW = "ami-0000000000000000a", "ami-0000000000000000b"
PREFIX = "burst-a"


class Clock:
    """Begins at the present, and ten minutes later when it is `late`; what is due happens while somebody sleeps."""

    def __init__(self, *, late: bool = True) -> None:
        self.present = datetime.now(UTC) + timedelta(minutes=10 if late else 0)
        self.meanwhile: list[Callable[[], object]] = []
        self.slept = 0.0

    def now(self) -> datetime:
        return self.present

    def sleep(self, seconds: float) -> None:
        self.present += timedelta(seconds=seconds)
        self.slept += seconds
        if self.meanwhile:
            self.meanwhile.pop(0)()


@pytest.fixture
def ec2() -> Any:
    """EC2 beside a deployment of the old image."""
    deploy(PREFIX, {"ImageId": OLD})
    # moto takes a parameter for changed that was left to its default at first.
    deploy(PREFIX, {})
    return boto3.client("ec2")


def launched(ec2: Any, count: int = 1, prefix: str = PREFIX, version: str = "$Latest") -> list[str]:
    template = {"LaunchTemplateName": f"{prefix}-worker", "Version": version}
    # moto does not take the volume's size from the image.
    disk = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8}}
    answer = ec2.run_instances(LaunchTemplate=template, MinCount=count, MaxCount=count, BlockDeviceMappings=[disk])
    return sorted(instance["InstanceId"] for instance in answer["Instances"])


def told_to_stand_by(ec2: Any, identity: str) -> None:
    """What the Lambda does to a worker that is to stop when it is idle."""
    attribute = "instanceInitiatedShutdownBehavior"
    ec2.modify_instance_attribute(InstanceId=identity, Attribute=attribute, Value="stop")
    ec2.create_tags(Resources=[identity], Tags=[{"Key": STANDBY_TAG, "Value": ""}])


def standing_by(ec2: Any, count: int = 1) -> list[str]:
    ids = launched(ec2, count)
    for identity in ids:
        told_to_stand_by(ec2, identity)
    ec2.stop_instances(InstanceIds=ids)
    return ids


def described(ec2: Any, identity: str) -> Any:
    return ec2.describe_instances(InstanceIds=[identity])["Reservations"][0]["Instances"][0]


def state(ec2: Any, identity: str) -> str:
    name: str = described(ec2, identity)["State"]["Name"]
    return name


def tags(ec2: Any, identity: str) -> set[str]:
    return {tag["Key"] for tag in described(ec2, identity)["Tags"]}


def on_shutdown(ec2: Any, identity: str) -> str:
    attribute = "instanceInitiatedShutdownBehavior"
    answer = ec2.describe_instance_attribute(InstanceId=identity, Attribute=attribute)
    value: str = answer["InstanceInitiatedShutdownBehavior"]["Value"]
    return value


def test_after_a_new_image_no_burst_is_answered_by_a_worker_that_stood_by_with_the_old_one(ec2: Any) -> None:
    old = standing_by(ec2, 2)
    deploy(PREFIX, {"ImageId": NEW})
    assert replace_outdated(PREFIX, ec2, Clock()) == Upgrade(ended=tuple(old))
    observer = Observer(boto3.client("sqs"), ec2, Settings.load(prefix=PREFIX).request_queue, PREFIX)
    seen = observer.observe(datetime.now(UTC) + timedelta(minutes=10))
    assert startable(seen) == ()
    [new] = launched(ec2)
    assert described(ec2, new)["ImageId"] == NEW


def test_who_works_with_the_old_image_finishes_and_ends_rather_than_to_stand_by(ec2: Any) -> None:
    chosen, other = launched(ec2, 2)
    told_to_stand_by(ec2, chosen)
    deploy(PREFIX, {"ImageId": NEW})
    assert replace_outdated(PREFIX, ec2, Clock()).sent_away == (chosen, other)
    for identity in (chosen, other):
        assert state(ec2, identity) == "running"
        assert LEAVE_TAG in tags(ec2, identity)
        assert STANDBY_TAG not in tags(ec2, identity)
        assert on_shutdown(ec2, identity) == "terminate"


def test_the_lambda_has_others_launched_at_once_and_chooses_no_worker_of_the_old_image_to_stand_by(ec2: Any) -> None:
    launched(ec2, 2)
    deploy(PREFIX, {"ImageId": NEW})
    clock = Clock()
    replace_outdated(PREFIX, ec2, clock)
    observer = Observer(boto3.client("sqs"), ec2, Settings.load(prefix=PREFIX).request_queue, PREFIX)
    limits = LambdaSettings.load({"NOVABURST_STANDBY": "2", "NOVABURST_IMAGES_PER_WORKER": "5"}).limits
    seen = observer.observe(clock.now())
    plan = decide(replace(seen, counts=Counts(5, 5, 0)), limits)
    assert (plan.want, plan.have, plan.launch, plan.leaving) == (2, 0, 2, 2)
    assert plan.stand_by == ()


def test_other_settings_of_the_workers_replace_them_just_as_a_new_image_does(ec2: Any) -> None:
    old = standing_by(ec2)
    deploy(PREFIX, {"InstanceType": "c7i.large"})
    assert replace_outdated(PREFIX, ec2, Clock()).ended == tuple(old)


def test_a_deployment_that_leaves_the_launch_template_as_it_was_touches_no_worker(ec2: Any) -> None:
    old = [*standing_by(ec2), *launched(ec2)]
    deploy(PREFIX, {"RetentionDays": "7"})
    clock = Clock()
    assert replace_outdated(PREFIX, ec2, clock) == Upgrade()
    assert [state(ec2, identity) for identity in old] == ["stopped", "running"]
    assert LEAVE_TAG not in tags(ec2, old[1])
    assert clock.slept == 0


def test_a_deployment_that_was_interrupted_is_made_up_for_by_the_next_one_that_changes_nothing(ec2: Any) -> None:
    old = standing_by(ec2)
    deploy(PREFIX, {"ImageId": NEW})
    deploy(PREFIX, {})
    assert replace_outdated(PREFIX, ec2, Clock()).ended == tuple(old)


def test_a_second_call_has_nothing_to_do(ec2: Any) -> None:
    launched(ec2)
    standing_by(ec2)
    deploy(PREFIX, {"ImageId": NEW})
    clock = Clock()
    replace_outdated(PREFIX, ec2, clock)
    assert replace_outdated(PREFIX, ec2, clock) == Upgrade()


def test_what_a_person_keeps_is_left_alone_and_named(ec2: Any) -> None:
    kept = launched(ec2)
    ec2.create_tags(Resources=kept, Tags=[{"Key": KEEP_TAG, "Value": ""}])
    deploy(PREFIX, {"ImageId": NEW})
    assert replace_outdated(PREFIX, ec2, Clock()) == Upgrade(kept=tuple(kept))
    assert LEAVE_TAG not in tags(ec2, kept[0])


def test_another_deployment_s_workers_and_those_launched_without_a_template_are_left_alone(ec2: Any) -> None:
    deploy("burst-b", {"ImageId": OLD})
    others = launched(ec2, prefix="burst-b")
    by_hand = ec2.run_instances(ImageId=OLD, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    ec2.create_tags(Resources=[by_hand], Tags=[{"Key": "novaburst:fleet", "Value": PREFIX}])
    deploy(PREFIX, {"ImageId": NEW})
    assert replace_outdated(PREFIX, ec2, Clock()) == Upgrade()
    assert {state(ec2, identity) for identity in (*others, by_hand)} == {"running"}


def test_a_launch_that_ec2_shows_only_after_the_first_look_is_seen_by_the_second(ec2: Any) -> None:
    deploy(PREFIX, {"ImageId": NEW})
    late: list[str] = []
    clock = Clock(late=False)
    clock.meanwhile.append(lambda: late.extend(launched(ec2, version="2")))
    assert replace_outdated(PREFIX, ec2, clock).sent_away == tuple(late)


def test_an_evaluation_that_was_under_way_and_has_a_leaving_worker_stand_by_is_undone(ec2: Any) -> None:
    [old] = launched(ec2)
    deploy(PREFIX, {"ImageId": NEW})
    clock = Clock()
    clock.meanwhile.append(lambda: told_to_stand_by(ec2, old))
    assert replace_outdated(PREFIX, ec2, clock).sent_away == (old,)
    assert STANDBY_TAG not in tags(ec2, old)
    assert on_shutdown(ec2, old) == "terminate"


def test_a_lambda_that_starts_them_again_and_again_is_told_of(ec2: Any) -> None:
    [old] = launched(ec2)
    deploy(PREFIX, {"ImageId": NEW})
    clock = Clock()
    clock.meanwhile += [lambda: told_to_stand_by(ec2, old)] * 9
    with pytest.raises(UpgradeError, match="may still be there"):
        replace_outdated(PREFIX, ec2, clock)


def refuse(ec2: Any, operation: str, times: int) -> None:
    left = [times]

    def answered(**_: object) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise ClientError({"Error": {"Code": "UnauthorizedOperation", "Message": "not you"}}, operation)

    ec2.meta.events.register(f"before-call.ec2.{operation}", answered)


@pytest.mark.parametrize(
    "operation", ["DescribeLaunchTemplateVersions", "DescribeInstances", "TerminateInstances", "CreateTags"]
)
def test_a_refusal_is_told_in_words(ec2: Any, operation: str) -> None:
    launched(ec2)
    standing_by(ec2)
    deploy(PREFIX, {"ImageId": NEW})
    refuse(ec2, operation, 99)
    with pytest.raises(UpgradeError, match=r"older launch template may still be there:\n.*not you"):
        replace_outdated(PREFIX, ec2, Clock())


def test_one_that_ends_by_itself_meanwhile_is_no_failure(ec2: Any) -> None:
    [old] = launched(ec2)
    deploy(PREFIX, {"ImageId": NEW})
    refuse(ec2, "ModifyInstanceAttribute", 1)
    clock = Clock()
    clock.meanwhile.append(lambda: ec2.terminate_instances(InstanceIds=[old]))
    assert replace_outdated(PREFIX, ec2, clock).sent_away == (old,)
