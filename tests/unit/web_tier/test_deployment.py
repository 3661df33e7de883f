import boto3
import pytest
from botocore.exceptions import NoCredentialsError

from web_tier.deployment import Deployment
from web_tier.settings import WebSettings


def test_a_web_tier_that_started_without_credentials_stores_as_soon_as_there_are_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with monkeypatch.context() as patch:
        patch.delenv("AWS_ACCESS_KEY_ID")
        deployment = Deployment(WebSettings())
        with pytest.raises(NoCredentialsError):
            _ = deployment.quick_in_bucket
    assert deployment.quick_in_bucket.name == "novaburst-in-bucket"
