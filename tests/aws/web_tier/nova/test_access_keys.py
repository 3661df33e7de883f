"""The web tier's key is made for one machine, and deleted again only when that has surely not taken it."""

import boto3
import pytest
from botocore.exceptions import ClientError

from novaburst.settings import Settings
from web_tier.nova.access_keys import AccessKeys
from web_tier.nova.delivery import DeliveryError, DoubtfulDeliveryError
from web_tier.nova.problem import NovaError


class User:
    """A deployment's web-tier user, and what is said of its keys."""

    def __init__(self, prefix: str) -> None:
        self.iam = boto3.client("iam")
        self.name = f"{prefix}-web"
        self.iam.create_user(UserName=self.name)
        self.said: list[str] = []
        self.keys = AccessKeys(self.iam, prefix, self.said.append)

    def make(self) -> str:
        return self.iam.create_access_key(UserName=self.name)["AccessKey"]["AccessKeyId"]

    def good(self) -> set[str]:
        return {key.id for key in self.keys.held() if key.active}


@pytest.fixture
def user(aws: Settings) -> User:
    return User(aws.prefix)


def test_a_new_key_of_the_deployments_web_user_stays_when_all_went_well(user: User) -> None:
    with user.keys.fresh([]) as key:
        assert key.secret
    assert user.good() == {key.id}


def test_a_key_that_surely_did_not_reach_its_machine_is_deleted(user: User) -> None:
    with pytest.raises(DeliveryError, match="no way"), user.keys.fresh([]):
        raise DeliveryError("no way")
    assert user.good() == set()


def test_a_key_of_no_use_that_cannot_be_deleted_is_said_and_the_first_error_stays_the_one(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(**_: str) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DeleteAccessKey")

    monkeypatch.setattr(user.iam, "delete_access_key", deny)
    with pytest.raises(DeliveryError, match="no way"), user.keys.fresh([]) as key:
        raise DeliveryError("no way")
    assert f"the key {key.id} is of no use and could not be deleted" in user.said[-1]


def test_in_doubt_a_first_key_stays_and_is_named_with_what_to_do(user: User) -> None:
    with pytest.raises(NovaError) as error, user.keys.fresh(user.keys.held()) as key:
        raise DoubtfulDeliveryError("no word")
    assert user.good() == {key.id}
    assert error.value.text == f"no word; the machine may have taken the new key {key.id}, which stays good"
    assert (
        f"run the command again, which brings another key; `novaburst nova key --retire {key.id}`" in error.value.remedy
    )


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), RuntimeError("nobody foresaw it")])
def test_whatever_else_happens_all_keys_stay_and_the_good_ones_are_named(user: User, failure: BaseException) -> None:
    other = user.make()
    with pytest.raises(type(failure)), user.keys.fresh(user.keys.held()) as key:
        raise failure
    assert user.good() == {other, key.id}
    assert f"the new key {key.id}, which stays good, as does {other}. `sudo grep key_id" in user.said[-1]


def test_without_the_deployments_user_it_says_what_to_run_first(user: User) -> None:
    user.iam.delete_user(UserName=user.name)
    with pytest.raises(NovaError, match="Run `novaburst deploy`"), user.keys.fresh([]):
        pass


def test_iams_limit_comes_with_the_keys_and_with_how_to_end_one(user: User) -> None:
    ids = [user.make(), user.make()]
    user.keys.switch(ids[1], on=False)
    with (
        pytest.raises(NovaError, match="as many access keys as IAM allows") as error,
        user.keys.fresh(user.keys.held()),
    ):
        pass
    assert all(key_id in error.value.text for key_id in ids)
    assert error.value.text.endswith(", switched off")
    assert "`novaburst nova key --retire ID`" in error.value.remedy
