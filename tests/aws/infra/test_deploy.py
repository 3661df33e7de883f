"""The stack on moto: created, updated, left alone, and refused with the reason."""

import base64
import itertools
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError
from click.testing import CliRunner

from infra import chalice_config
from infra.command import deploy_command
from infra.deploy import DeployError, deploy
from novaburst.settings import Settings

# moto's CloudFormation leaves these out and says so; the local cloud completes them from the template.
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS::")

IMAGE = "ami-12c6146b"


def _launch_template(prefix: str) -> Any:
    versions = boto3.client("ec2").describe_launch_template_versions(
        LaunchTemplateName=f"{prefix}-worker", Versions=["$Latest"]
    )
    return versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]


def test_a_new_stack_has_every_resource_under_the_names_of_the_settings() -> None:
    outputs = deploy("burst-a", {"ImageId": IMAGE})

    settings = Settings.load(prefix="burst-a")
    buckets = {bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]}
    assert buckets == {settings.in_bucket, settings.out_bucket}
    assert {outputs["InBucketName"], outputs["OutBucketName"]} == buckets
    sqs = boto3.client("sqs")
    names = {url.rsplit("/", 1)[1] for url in sqs.list_queues()["QueueUrls"]}
    expected = {
        settings.request_queue,
        settings.response_queue,
        settings.dead_letter_queue,
        settings.wake_queue,
    }
    assert names == expected
    assert outputs["RequestQueueName"] == settings.request_queue
    assert outputs["AlarmTopicArn"].endswith(":burst-a-alarms")
    assert outputs["WorkerLaunchTemplateName"] == "burst-a-worker"


def test_the_request_queue_takes_1024_bytes_and_redrives_to_the_dead_letter_queue() -> None:
    deploy("burst-a", {"ImageId": IMAGE})

    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName="burst-a-req-queue")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["MaximumMessageSize"] == "1024"
    redrive = json.loads(attributes["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"].endswith(":burst-a-req-dlq")
    assert int(redrive["maxReceiveCount"]) == 8


def test_a_worker_that_powers_off_is_terminated_and_its_user_data_tells_it_its_deployment() -> None:
    deploy("burst-a", {"ImageId": IMAGE, "IdleSeconds": "7", "VisibilityTimeout": "90"})

    template = _launch_template("burst-a")
    assert template["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert template["MetadataOptions"]["HttpTokens"] == "required"
    tags = {tag["Key"]: tag["Value"] for tag in template["TagSpecifications"][0]["Tags"]}
    assert tags == {"Name": "app-tier-instance", "novaburst:fleet": "burst-a"}
    user_data = base64.b64decode(template["UserData"]).decode()
    assert user_data.startswith("#cloud-config\n")
    for line in (
        "NOVABURST_PREFIX=burst-a",
        "NOVABURST_IDLE_SECONDS=7",
        "NOVABURST_VISIBILITY_SECONDS=90",
        "AWS_DEFAULT_REGION=us-east-1",
    ):
        assert f"      {line}\n" in user_data


def test_an_update_changes_what_was_given_and_keeps_the_rest() -> None:
    deploy("burst-a", {"ImageId": IMAGE, "InstanceType": "c7i.large"})

    deploy("burst-a", {"VisibilityTimeout": "90"})

    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName="burst-a-req-queue")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "90"
    assert _launch_template("burst-a")["ImageId"] == IMAGE
    assert _launch_template("burst-a")["InstanceType"] == "c7i.large"


def test_a_second_deployment_of_the_same_changes_nothing_and_gives_the_same_outputs() -> None:
    first = deploy("burst-a", {"ImageId": IMAGE})
    assert deploy("burst-a", {"ImageId": IMAGE}) == first
    assert deploy("burst-a", {}) == first


def test_two_prefixes_live_side_by_side_in_one_account() -> None:
    first = deploy("burst-a", {"ImageId": IMAGE, "IdleSeconds": "30"})
    second = deploy("burst-b", {"ImageId": IMAGE, "IdleSeconds": "40"})
    assert not set(first.values()) & set(second.values())


def test_a_first_deployment_without_an_image_is_refused_with_the_options_name() -> None:
    with pytest.raises(DeployError, match=r"no stack burst-a yet.* --image-id"):
        deploy("burst-a", {})


def _answer(client: Any, operation: str, *answers: dict[str, Any] | None) -> None:
    """Answer the operation's calls in turn with these, the last one for good; None lets the call through to moto."""
    remaining = list(answers)

    def answered(**_: object) -> tuple[SimpleNamespace, dict[str, Any]] | None:
        answer = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        return None if answer is None else (SimpleNamespace(status_code=200), answer)

    client.meta.events.register(f"before-call.cloudformation.{operation}", answered)


def _failed(name: str, reason: str) -> dict[str, object]:
    return {
        "Timestamp": datetime.now(UTC),
        "LogicalResourceId": name,
        "ResourceType": "AWS::S3::Bucket",
        "ResourceStatus": "CREATE_FAILED",
        "ResourceStatusReason": reason,
    }


def test_a_failed_deployment_names_the_resource_and_the_reason_and_not_those_cancelled_for_it() -> None:
    # moto never fails to create a stack, so this one's life is told by the answers of its API.
    client = boto3.client("cloudformation")
    _answer(client, "DescribeStacks", None, {"Stacks": [{"StackName": "burst-a", "StackStatus": "ROLLBACK_COMPLETE"}]})
    cancelled = _failed("OutBucket", "Resource creation cancelled")
    events = [cancelled, _failed("InBucket", "burst-a-in-bucket already exists")]
    _answer(client, "DescribeStackEvents", {"StackEvents": events})
    with pytest.raises(DeployError, match=r"InBucket .*: burst-a-in-bucket already exists") as caught:
        deploy("burst-a", {"ImageId": IMAGE}, client=client, poll_seconds=0)
    assert "OutBucket" not in str(caught.value)


def _refuse(client: Any, operation: str, code: str, message: str, *, after: int = 0) -> None:
    """Let AWS answer the operation's calls with that error, but for the first few."""
    calls = itertools.count()

    def refused(**_: object) -> tuple[SimpleNamespace, dict[str, Any]] | None:
        if next(calls) < after:
            return None
        return SimpleNamespace(status_code=403), {"Error": {"Code": code, "Message": message}}

    client.meta.events.register(f"before-call.cloudformation.{operation}", refused)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("ExpiredToken", "stack burst-a: no .these credentials have expired"),
        ("InvalidClientTokenId", "stack burst-a: no .AWS does not know these credentials"),
        ("SignatureDoesNotMatch", "stack burst-a: no .the secret key is not the key's"),
        ("AccessDenied", "stack burst-a: no .let an administrator"),
        ("Throttling", "stack burst-a: no$"),
    ],
)
@pytest.mark.parametrize(
    ("operation", "after"), [("DescribeStacks", 0), ("CreateStack", 0), ("DescribeStacks", 1), ("DescribeStacks", 2)]
)
def test_whatever_call_aws_refuses_is_told_in_words(code: str, said: str, operation: str, after: int) -> None:
    # Before the stack is looked for, while it is made, while it is waited for, and when its outputs are read.
    client = boto3.client("cloudformation", config=Config(retries={"total_max_attempts": 1}))
    _refuse(client, operation, code, "no", after=after)
    if (operation, after) == ("DescribeStacks", 1):
        said = rf"stack burst-a was not deployed:\n.*{code}"
    with pytest.raises(DeployError, match=said):
        deploy("burst-a", {"ImageId": IMAGE}, client=client, poll_seconds=0)


def test_a_token_that_expires_while_the_stack_changes_is_told_in_words() -> None:
    client = boto3.client("cloudformation")
    _refuse(client, "DescribeStacks", "ExpiredToken", "it has expired", after=1)
    _refuse(client, "DescribeStackEvents", "ExpiredToken", "it has expired")
    with pytest.raises(DeployError, match=r"cannot be read: it has expired .these credentials have expired"):
        deploy("burst-a", {"ImageId": IMAGE}, client=client, poll_seconds=0)


@pytest.mark.parametrize("operation", ["DeleteStack", "GetTemplateSummary", "UpdateStack"])
def test_a_right_that_is_missing_later_on_is_told_in_words(operation: str) -> None:
    client = boto3.client("cloudformation")
    if operation == "DeleteStack":
        _never_created(client)
    else:
        deploy("burst-a", {"ImageId": IMAGE})
    _refuse(client, operation, "AccessDenied", f"you may not {operation}")
    with pytest.raises(DeployError, match=f"stack burst-a: you may not {operation}"):
        deploy("burst-a", {"IdleSeconds": "9"}, client=client, poll_seconds=0)


def test_without_any_credentials_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nobody:
        def describe_stacks(self, **_: object) -> None:
            raise NoCredentialsError

    with pytest.raises(DeployError, match="stack burst-a: Unable to locate credentials"):
        deploy("burst-a", {}, client=cast(Any, Nobody()))


def test_what_keeps_a_stack_that_was_never_created_from_being_deleted_is_named() -> None:
    client = boto3.client("cloudformation")
    stacks = [
        {"Stacks": [{"StackName": "burst-a", "StackStatus": status}]}
        for status in ("ROLLBACK_COMPLETE", "DELETE_FAILED")
    ]
    _answer(client, "DescribeStacks", *stacks)
    _answer(client, "DeleteStack", {})
    left = _failed("InBucket", "The bucket you tried to delete is not empty") | {"ResourceStatus": "DELETE_FAILED"}
    _answer(client, "DescribeStackEvents", {"StackEvents": [left]})
    with pytest.raises(DeployError, match=r"could not be deleted; .*\n  InBucket .*: The bucket you tried") as caught:
        deploy("burst-a", {"ImageId": IMAGE}, client=client, poll_seconds=0)
    assert "aws cloudformation delete-stack --stack-name burst-a" in str(caught.value)
    assert "Waiter" not in str(caught.value)


@pytest.mark.usefixtures("chalice")
def test_the_command_answers_expired_credentials_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    client = boto3.client("cloudformation")
    _refuse(client, "DescribeStacks", "ExpiredToken", "The security token is expired")
    monkeypatch.setattr("infra.deploy.default_session", lambda: SimpleNamespace(client=lambda _: client))
    result = CliRunner().invoke(deploy_command, ["--image-id", IMAGE])
    assert result.exit_code == 1
    assert result.output.startswith("Error: stack novaburst: The security token is expired")
    assert isinstance(result.exception, SystemExit)


def test_the_operators_topic_is_there_with_or_without_an_address_to_tell() -> None:
    assert deploy("burst-a", {"ImageId": IMAGE})["OperatorTopicArn"].endswith(":burst-a-operator")
    assert deploy("burst-a", {"OperatorEmail": "on-call@example.org"})["OperatorTopicArn"].endswith(":burst-a-operator")


@pytest.fixture
def chalice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `.chalice/` for the command to write to."""
    copy = shutil.copytree(
        chalice_config.CHALICE, tmp_path / ".chalice", ignore=shutil.ignore_patterns("deployed", "deployments")
    )
    monkeypatch.setattr(chalice_config, "CHALICE", copy)
    return copy


def test_the_command_prints_the_outputs_as_json_and_prepares_the_lambda_for_the_same_prefix(
    chalice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOVABURST_PREFIX", "burst-c")
    result = CliRunner().invoke(deploy_command, ["--image-id", IMAGE, "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["InBucketName"] == "burst-c-in-bucket"
    assert "is now that of burst-c" in result.stderr
    config = json.loads((chalice / "config.json").read_text())
    assert config["environment_variables"]["NOVABURST_PREFIX"] == "burst-c"
    again = CliRunner().invoke(deploy_command, ["--json"], catch_exceptions=False)
    assert again.stderr == ""


def test_a_preset_reaches_the_workers_and_the_lambda_and_leaves_what_an_operator_has_set_there(
    chalice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = chalice / "config.json"
    config.write_text(config.read_text().replace('"NOVABURST_PREFIX"', '"NOVABURST_SPOT": "true", "NOVABURST_PREFIX"'))
    monkeypatch.setenv("NOVABURST_PREFIX", "1234567890")
    monkeypatch.setenv("NOVABURST_PRESET", "cse546")
    result = CliRunner().invoke(deploy_command, ["--image-id", IMAGE, "--json"], catch_exceptions=False)
    assert json.loads(result.stdout)["InBucketName"] == "1234567890-in-bucket"
    variables = json.loads(config.read_text())["environment_variables"]
    assert variables["NOVABURST_IMAGES_PER_WORKER"] == "5"
    assert (variables["NOVABURST_IDLE_SECONDS"], variables["NOVABURST_SPOT"]) == ("5", "true")
    stack = boto3.client("cloudformation").describe_stacks(StackName="novaburst-1234567890")["Stacks"][0]
    assert {"ParameterKey": "IdleSeconds", "ParameterValue": "5"} in stack["Parameters"]
    again = CliRunner().invoke(deploy_command, ["--json"], catch_exceptions=False)
    assert again.stderr == ""


def test_an_idle_time_reaches_workers_and_lambda_by_option_before_variable(
    chalice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def idle_seconds(*options: str) -> tuple[str, str]:
        CliRunner().invoke(deploy_command, ["--image-id", IMAGE, *options], catch_exceptions=False)
        stack = boto3.client("cloudformation").describe_stacks(StackName="burst-e")["Stacks"][0]
        given = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
        variables = json.loads((chalice / "config.json").read_text())["environment_variables"]
        return given["IdleSeconds"], variables["NOVABURST_IDLE_SECONDS"]

    monkeypatch.setenv("NOVABURST_PREFIX", "burst-e")
    monkeypatch.setenv("NOVABURST_IDLE_SECONDS", "50")
    assert idle_seconds() == ("50", "50")
    assert idle_seconds("--idle-seconds", "60") == ("60", "60")


def test_an_idle_time_that_was_given_once_stays_that_of_workers_and_lambda(
    chalice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The workers kept it, and the Lambda's net came before their own end.
    def idle_seconds(*options: str) -> tuple[str, str | None]:
        ran = CliRunner().invoke(deploy_command, ["--image-id", IMAGE, "--json", *options], catch_exceptions=False)
        variables = json.loads((chalice / "config.json").read_text())["environment_variables"]
        return json.loads(ran.stdout)["IdleSeconds"], variables.get("NOVABURST_IDLE_SECONDS")

    monkeypatch.setenv("NOVABURST_PREFIX", "burst-f")
    assert idle_seconds() == ("30", None)
    assert idle_seconds("--idle-seconds", "60") == ("60", "60")
    assert idle_seconds("--instance-type", "c6i.large") == ("60", "60")
    assert idle_seconds() == ("60", "60")
    # Another deployment has its own.
    monkeypatch.setenv("NOVABURST_PREFIX", "burst-g")
    assert idle_seconds() == ("30", None)


@pytest.mark.usefixtures("chalice")
def test_a_value_that_the_lambda_would_refuse_is_refused_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NOVABURST_MAX_WORKERS", "21")
    result = CliRunner().invoke(deploy_command, ["--image-id", IMAGE])
    assert (result.exit_code, "NOVABURST_MAX_WORKERS: must be" in result.output) == (1, True)
    assert boto3.client("cloudformation").describe_stacks()["Stacks"] == []


@pytest.mark.usefixtures("chalice")
def test_the_command_replaces_the_workers_of_an_older_image_and_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABURST_PREFIX", "burst-d")
    deploy("burst-d", {"ImageId": IMAGE})
    disk = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8}}
    template = {"LaunchTemplateName": "burst-d-worker", "Version": "$Latest"}
    launched = boto3.client("ec2").run_instances(
        LaunchTemplate=template, MinCount=1, MaxCount=1, BlockDeviceMappings=[disk]
    )
    identity = launched["Instances"][0]["InstanceId"]
    result = CliRunner().invoke(deploy_command, ["--image-id", "ami-0000000000000000b"], catch_exceptions=False)
    assert f"workers of an older launch template sent away: {identity} (they" in result.stderr


@pytest.mark.usefixtures("chalice")
def test_the_command_says_in_one_line_what_was_refused() -> None:
    result = CliRunner().invoke(deploy_command, [])
    assert result.exit_code == 1
    assert "--image-id" in result.output
    assert "Traceback" not in result.output


def _never_created(client: Any) -> None:
    """What a change set leaves that was never run."""
    client.create_change_set(
        StackName="burst-a", ChangeSetName="never-run", ChangeSetType="CREATE", TemplateBody='{"Resources": {}}'
    )


def test_the_stack_that_failed_to_be_created_is_replaced() -> None:
    cloudformation = boto3.client("cloudformation")
    _never_created(cloudformation)
    with pytest.raises(ClientError):
        cloudformation.describe_stack_resource(StackName="burst-a", LogicalResourceId="InBucket")
    outputs = deploy("burst-a", {"ImageId": IMAGE})
    assert outputs["OutBucketName"] == "burst-a-out-bucket"
