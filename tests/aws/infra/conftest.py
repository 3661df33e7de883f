"""moto's AWS for the deployment's own calls."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from scaling_lambda.clock import SystemClock


@pytest.fixture(autouse=True)
def _cloud(_no_real_aws: None, session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # moto's table of public AMIs takes half a second a test to load, and none of them is launched here.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    with mock_aws():
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
        # What is launched here is seen at once.
        monkeypatch.setattr(SystemClock, "sleep", lambda *_: None)
        yield
