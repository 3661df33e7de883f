"""The Lambda's policy file against the calls that the code makes: nothing missing, nothing left over."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from novaburst.settings import Settings as SharedSettings
from scaling_lambda.evaluate import Evaluator
from scaling_lambda.fleet import LEAVE_TAG, MARK_TAG, STANDBY_TAG, WARM_TAG
from scaling_lambda.settings import Settings

CHALICE = Path(__file__).parents[3] / ".chalice"
# Actions that AWS checks on the Lambda's behalf, without a call in our code.
IMPLIED = {
    "logs:CreateLogGroup": "the runtime's own log",
    "logs:CreateLogStream": "the runtime's own log",
    "logs:PutLogEvents": "the runtime's own log",
    "sqs:ReceiveMessage": "the event source mapping on the wake queue",
    "sqs:DeleteMessage": "the event source mapping on the wake queue",
    "iam:PassRole": "a launch hands the workers' role to EC2",
}


def read_policy() -> Any:
    return json.loads((CHALICE / "policy.json").read_text())


@pytest.fixture
def prefix() -> str:
    """The deployment that `.chalice/` is for: `novaburst deploy` writes another one there."""
    config = json.loads((CHALICE / "config.json").read_text())
    return str(config["environment_variables"]["NOVABURST_PREFIX"])


@pytest.fixture
def policy() -> Any:
    return read_policy()


def actions_of(statement: Any) -> set[str]:
    action = statement["Action"]
    return {action} if isinstance(action, str) else set(action)


def resources_of(statement: Any) -> list[str]:
    resource = statement["Resource"]
    return [resource] if isinstance(resource, str) else resource


@pytest.fixture
def made(sqs: Any, ec2: Any, cloudwatch: Any, launch: Callable[..., list[str]]) -> set[str]:
    """The calls made from here on, as IAM names them; one instance is running already."""
    made: set[str] = set()
    launch(1)
    for client, service in ((sqs, "sqs"), (ec2, "ec2"), (cloudwatch, "cloudwatch")):
        client.meta.events.register(
            "before-call", lambda model, service=service, **_: made.add(f"{service}:{model.name}")
        )
    return made


def test_the_policy_allows_exactly_the_calls_that_are_made(
    *,
    aws: SharedSettings,
    sqs: Any,
    ec2: Any,
    cloudwatch: Any,
    clock: Any,
    made: set[str],
    launch: Callable[..., list[str]],
) -> None:
    evaluator = Evaluator(Settings.load({"NOVABURST_PREFIX": aws.prefix}), sqs, ec2, cloudwatch, clock)
    url = sqs.get_queue_url(QueueName=aws.request_queue)["QueueUrl"]

    def evaluate(after: float) -> Any:
        clock.sleep(after)
        return evaluator.evaluate().outcome

    assert evaluate(300).marked
    assert evaluate(910).terminated
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    assert evaluate(1).launched
    sqs.purge_queue(QueueUrl=url)
    assert evaluate(300).marked
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    sqs.receive_message(QueueUrl=url)
    assert evaluate(60).unmarked
    # Standing by: told to stop, stopped, started again.
    settings = Settings.load({"NOVABURST_PREFIX": aws.prefix, "NOVABURST_STANDBY": "1"})
    evaluator = Evaluator(settings, sqs, ec2, cloudwatch, clock)
    (told,) = evaluate(1).standing_by
    ec2.stop_instances(InstanceIds=[told])
    assert evaluate(1).started == [told]
    # More than one worker for a backlog that one could work off.
    launch(1)
    evaluate(300)

    # What this test itself has called besides.
    made -= {"sqs:SendMessage", "sqs:PurgeQueue", "sqs:ReceiveMessage", "ec2:StopInstances"}
    allowed = {action for statement in read_policy()["Statement"] for action in actions_of(statement)}
    assert allowed == made | set(IMPLIED)


def test_no_action_is_a_wildcard_and_only_the_description_has_every_resource(policy: Any) -> None:
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        assert not any("*" in action for action in actions_of(statement))
        if "*" in resources_of(statement):
            assert actions_of(statement) == {"ec2:DescribeInstances", "cloudwatch:GetMetricData"}


def test_only_the_fleets_own_instances_can_be_marked_changed_started_or_ended(policy: Any, prefix: str) -> None:
    dangerous = {"ec2:TerminateInstances", "ec2:StartInstances", "ec2:ModifyInstanceAttribute", "ec2:DeleteTags"}
    touched = [statement for statement in policy["Statement"] if actions_of(statement) & dangerous]
    assert len(touched) == 3
    for statement in touched:
        assert statement["Condition"]["StringEquals"]["aws:ResourceTag/novaburst:fleet"] == prefix


def test_the_only_attribute_that_can_be_changed_is_what_a_shutdown_means(policy: Any) -> None:
    # With user data it could run anything in the workers' name.
    (statement,) = [s for s in policy["Statement"] if "ec2:ModifyInstanceAttribute" in actions_of(s)]
    allowed = {"StringEqualsIgnoreCase": {"ec2:Attribute": "InstanceInitiatedShutdownBehavior"}}
    assert allowed.items() <= statement["Condition"].items()


def test_only_the_lambdas_own_tags_can_be_written_and_never_a_persons(policy: Any) -> None:
    written = [
        statement["Condition"]["ForAllValues:StringEquals"]["aws:TagKeys"]
        for statement in policy["Statement"]
        if "ec2:DeleteTags" in actions_of(statement)
    ]
    assert written == [[LEAVE_TAG, MARK_TAG, STANDBY_TAG, WARM_TAG]]


def test_only_the_workers_role_can_be_passed_and_only_to_ec2(policy: Any, prefix: str) -> None:
    (statement,) = [s for s in policy["Statement"] if "iam:PassRole" in actions_of(s)]
    assert statement["Resource"] == f"arn:*:iam::*:role/{prefix}-worker"
    assert statement["Condition"]["StringEquals"]["iam:PassedToService"] == "ec2.amazonaws.com"


def test_the_policy_names_the_prefix_that_the_configuration_deploys(policy: Any, prefix: str) -> None:
    config = json.loads((CHALICE / "config.json").read_text())
    assert config["autogen_policy"] is False
    assert config["iam_policy_file"] == "policy.json"
    text = json.dumps(policy)
    for name in (f"{prefix}-req-queue", f"{prefix}-wake-queue", f"{prefix}-worker"):
        assert name in text


@pytest.mark.parametrize("stage", ["local", "dev", "prod"])
def test_every_stages_settings_are_good(stage: str) -> None:
    config = json.loads((CHALICE / "config.json").read_text())
    environment = {**config["environment_variables"], **config["stages"][stage].get("environment_variables", {})}
    settings = Settings.load(environment)
    assert settings.watch_seconds + 10 <= config["lambda_timeout"]
