"""The queues and buckets of one deployment, in moto, as the tests against AWS calls need them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from moto import mock_aws

from novaburst.bounds import MAX_MESSAGE_BYTES, VISIBILITY_TIMEOUT_SECONDS
from novaburst.descriptions import core_session
from novaburst.settings import Settings
from scaling_lambda import tokens


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """One session for all tests: each new one reads the services' descriptions again, half a second a test."""
    return boto3.Session("testing", "testing", region_name="us-east-1", botocore_session=core_session())


@pytest.fixture
def tokens_turn_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hour of the client tokens turns half an hour from now: for some seconds from then on nothing is launched."""
    monkeypatch.setattr(tokens, "_TURN", timedelta(minutes=(datetime.now(UTC).minute + 30) % 60))


@pytest.fixture
def aws(_no_real_aws: None, session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """An empty deployment: its settings; queues and buckets exist under their names."""
    settings = Settings.load(prefix="novatest")
    with mock_aws():
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
        s3, sqs = boto3.client("s3"), boto3.client("sqs")
        for bucket in (settings.in_bucket, settings.out_bucket):
            s3.create_bucket(Bucket=bucket)
        attributes = {
            "MaximumMessageSize": str(MAX_MESSAGE_BYTES),
            "VisibilityTimeout": str(VISIBILITY_TIMEOUT_SECONDS),
        }
        queues = (
            settings.request_queue,
            settings.response_queue,
            settings.dead_letter_queue,
            settings.wake_queue,
        )
        for queue in queues:
            sqs.create_queue(QueueName=queue, Attributes=attributes)
        yield settings
