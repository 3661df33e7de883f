"""The web tier's key is made for one VM, and leaves no trace when it did not get there."""

import boto3
import pytest

from novaburst.settings import Settings
from web_tier.nova.delivery import DeliveryError, fresh_access_key


def keys(prefix: str) -> list[str]:
    listed = boto3.client("iam").list_access_keys(UserName=f"{prefix}-web")
    return [key["AccessKeyId"] for key in listed["AccessKeyMetadata"]]


def test_a_new_key_of_the_deployments_web_user_stays_when_all_went_well(aws: Settings) -> None:
    iam = boto3.client("iam")
    iam.create_user(UserName=f"{aws.prefix}-web")
    with fresh_access_key(iam, aws.prefix) as key:
        assert key.secret
    assert keys(aws.prefix) == [key.id]


def test_a_key_that_did_not_reach_its_vm_is_deleted(aws: Settings) -> None:
    iam = boto3.client("iam")
    iam.create_user(UserName=f"{aws.prefix}-web")
    with pytest.raises(DeliveryError, match="no way"), fresh_access_key(iam, aws.prefix):
        raise DeliveryError("no way")
    assert keys(aws.prefix) == []


def test_without_the_deployments_user_it_says_what_to_run_first(aws: Settings) -> None:
    with (
        pytest.raises(DeliveryError, match="run `novaburst deploy`"),
        fresh_access_key(boto3.client("iam"), aws.prefix),
    ):
        pass


def test_iams_limit_of_two_keys_comes_with_the_remedy(aws: Settings) -> None:
    iam = boto3.client("iam")
    iam.create_user(UserName=f"{aws.prefix}-web")
    for _ in range(2):
        iam.create_access_key(UserName=f"{aws.prefix}-web")
    with pytest.raises(DeliveryError, match="delete the one that is not in use"), fresh_access_key(iam, aws.prefix):
        pass
