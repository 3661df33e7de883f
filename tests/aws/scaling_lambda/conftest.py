"""A deployment with its launch template, and time that passes when it is told to."""

import importlib
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from novaburst.settings import Settings

PREFIX = "novatest"


class SteppedClock:
    """A clock that starts at the real present and moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.present = datetime.now(UTC)

    def now(self) -> datetime:
        return self.present

    def sleep(self, seconds: float) -> None:
        self.present += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture(scope="package", autouse=True)
def _no_public_images() -> Iterator[None]:
    """moto's table of public AMIs takes half a second a test to load, and none of them is launched here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        yield


@pytest.fixture
def ec2(aws: Settings, session: boto3.Session) -> Any:
    """EC2 with the launch template of the deployment `novatest`."""
    client = session.client("ec2")
    client.create_launch_template(
        LaunchTemplateName=f"{PREFIX}-worker",
        LaunchTemplateData={
            "ImageId": "ami-12c6146b",
            "InstanceType": "c6i.large",
            "TagSpecifications": [
                {
                    "ResourceType": "instance",
                    "Tags": [
                        {"Key": "Name", "Value": "app-tier-instance"},
                        {"Key": "novaburst:fleet", "Value": PREFIX},
                    ],
                }
            ],
        },
    )
    return client


@pytest.fixture
def sqs(aws: Settings, session: boto3.Session) -> Any:
    return session.client("sqs")


@pytest.fixture
def cloudwatch(aws: Settings, session: boto3.Session) -> Any:
    return session.client("cloudwatch")


@pytest.fixture
def publish(aws: Settings, cloudwatch: Any) -> Callable[..., None]:
    """Publish a minute of the request queue's metrics, as SQS does."""

    def published(
        start: datetime, *, sent: int, visible: int = 0, in_flight: int = 0, deleted: int | None = None
    ) -> None:
        counts = {
            "NumberOfMessagesSent": sent,
            "ApproximateNumberOfMessagesVisible": visible,
            "ApproximateNumberOfMessagesNotVisible": in_flight,
        }
        if deleted is not None:
            counts["NumberOfMessagesDeleted"] = deleted
        dimensions = [{"Name": "QueueName", "Value": aws.request_queue}]
        data = [
            {"MetricName": name, "Dimensions": dimensions, "Timestamp": start, "Value": count, "Unit": "Count"}
            for name, count in counts.items()
        ]
        cloudwatch.put_metric_data(Namespace="AWS/SQS", MetricData=data)

    return published


@pytest.fixture
def launch(ec2: Any) -> Callable[..., list[str]]:
    """Launch instances as an earlier evaluation has done, and get their ids."""

    def launched(count: int, fleet: str = PREFIX) -> list[str]:
        tags = [{"Key": "novaburst:fleet", "Value": fleet}]
        answer = ec2.run_instances(
            ImageId="ami-12c6146b",
            MinCount=count,
            MaxCount=count,
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        )
        return [instance["InstanceId"] for instance in answer["Instances"]]

    return launched


@pytest.fixture
def refuse(ec2: Any) -> Callable[..., list[Any]]:
    """Refuse an operation's calls in turn with these codes (None lets one through), and get their parameters."""

    def refused(operation: str, *codes: str | None) -> list[Any]:
        remaining, calls = list(codes), []

        def answer(params: Any, **_: object) -> None:
            calls.append(params)
            code = remaining.pop(0) if remaining else None
            if code is not None:
                raise ClientError({"Error": {"Code": code, "Message": "refused by the test"}}, operation)

        ec2.meta.events.register(f"provide-client-params.ec2.{operation}", answer)
        return calls

    return refused


@pytest.fixture
def load(aws: Settings, ec2: Any, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Import the handlers as Lambda does with this environment."""

    def loaded(**environment: str) -> ModuleType:
        monkeypatch.setenv("NOVABURST_PREFIX", aws.prefix)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        sys.modules.pop("scaling_lambda.handlers", None)
        handlers = importlib.import_module("scaling_lambda.handlers")
        monkeypatch.setattr(handlers, "clock", clock)
        # The logger outlives the module, and holds the closed standard output of an earlier test.
        handlers.log.registered_handler.stream = sys.stdout
        return handlers

    yield loaded
    sys.modules.pop("scaling_lambda.handlers", None)
