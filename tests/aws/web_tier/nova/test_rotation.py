"""The web tier's key is replaced by a new one, and at each step that fails one that works is left."""

from collections.abc import Callable
from datetime import UTC, datetime

import boto3
import pytest

from novaburst.settings import Settings
from web_tier.nova.access_keys import AccessKeys, Held
from web_tier.nova.credentials import AccessKey
from web_tier.nova.delivery import DeliveryError, DoubtfulDeliveryError
from web_tier.nova.problem import NovaError
from web_tier.nova.rotation import Machine, Rotation, outgoing

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Site:
    """IAM's user, and a machine that is ready as long as its key is good, or not at all."""

    def __init__(self, prefix: str) -> None:
        self.iam = boto3.client("iam")
        self.user = f"{prefix}-web"
        self.iam.create_user(UserName=self.user)
        self.has = ""
        self.broken = False
        # What goes wrong once the machine has the key.
        self.breaks: BaseException | None = None
        self.reached = True
        self.slept: list[float] = []
        # What is good at each moment of waiting.
        self.good_then: list[dict[str, str]] = []
        self.had_then: list[str] = []
        self.said: list[str] = []
        machine = Machine(self.ready, self.lacks_key, grace_seconds=4200)
        keys = AccessKeys(self.iam, prefix, self.said.append)
        self.rotation = Rotation(keys, machine, self.said.append, sleep=self.sleep)

    def make(self, status: str = "Active") -> str:
        key_id = self.iam.create_access_key(UserName=self.user)["AccessKey"]["AccessKeyId"]
        if status == "Inactive":
            self.iam.update_access_key(UserName=self.user, AccessKeyId=key_id, Status="Inactive")
        return key_id

    def keys(self) -> dict[str, str]:
        listed = self.iam.list_access_keys(UserName=self.user)["AccessKeyMetadata"]
        return {key["AccessKeyId"]: key["Status"] for key in listed}

    def bring(self, key: AccessKey) -> None:
        if not self.reached:
            raise DeliveryError("no way")
        self.has = key.id
        if self.breaks is not None:
            raise self.breaks

    def ready(self) -> bool:
        return not self.broken and self.keys().get(self.has) == "Active"

    def lacks_key(self) -> bool:
        return self.keys().get(self.has) != "Active"

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.good_then.append(self.keys())
        self.had_then.append(self.has)


@pytest.fixture
def site(aws: Settings) -> Site:
    return Site(aws.prefix)


def test_the_new_key_takes_over_and_the_old_one_stays_good_for_what_is_under_way(site: Site) -> None:
    old = site.has = site.make()
    new = site.rotation.rotate(site.bring)
    assert (site.has, site.keys()) == (new, {new: "Active"})
    # Until AWS knows the new key, for what is under way, and until AWS knows that the old one is good no more.
    assert site.slept == [15, 4200, 60]
    assert site.had_then == [old, new, new]
    both = {old: "Active", new: "Active"}
    assert site.good_then == [both, both, {old: "Inactive", new: "Active"}]


def test_a_first_key_replaces_none_and_waits_for_nothing(site: Site) -> None:
    new = site.rotation.rotate(site.bring)
    assert (site.keys(), site.slept) == ({new: "Active"}, [])


def test_a_key_that_was_switched_off_makes_room(site: Site) -> None:
    site.make("Inactive")
    site.has = site.make()
    new = site.rotation.rotate(site.bring)
    assert site.keys() == {new: "Active"}


def test_a_key_that_does_not_arrive_is_deleted_and_the_old_one_stays(site: Site) -> None:
    old = site.has = site.make()
    site.reached = False
    with pytest.raises(DeliveryError, match="no way"):
        site.rotation.rotate(site.bring)
    assert site.keys() == {old: "Active"}


def test_a_key_that_the_machine_has_taken_stays_when_the_connection_breaks_before_it_says_so(site: Site) -> None:
    old = site.has = site.make()
    site.breaks = DoubtfulDeliveryError("no word")
    with pytest.raises(NovaError, match=f"no word; .* new key AKIA.*, which stays good, as does {old}") as error:
        site.rotation.rotate(site.bring)
    assert site.has in error.value.text
    assert "sudo grep key_id" in error.value.remedy
    assert site.keys() == {old: "Active", site.has: "Active"}
    site.rotation.retire(old)
    assert site.keys() == {site.has: "Active"}


def test_a_key_that_the_machine_has_taken_stays_when_a_person_interrupts_and_both_are_named(site: Site) -> None:
    old = site.has = site.make()
    site.breaks = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        site.rotation.rotate(site.bring)
    assert site.keys() == {old: "Active", site.has: "Active"}
    assert all(words in site.said[-1] for words in (old, site.has, "sudo grep key_id", "--retire"))


def test_a_web_tier_that_is_not_ready_with_the_new_key_keeps_both(site: Site) -> None:
    old = site.has = site.make()
    site.broken = True
    with pytest.raises(NovaError, match="not ready") as error:
        site.rotation.rotate(site.bring)
    assert f"--retire {old}" in error.value.remedy
    assert site.keys() == {old: "Active", site.has: "Active"}


def test_after_an_interruption_the_other_key_is_retired_by_its_id(site: Site) -> None:
    other, site.has = site.make(), site.make()
    with pytest.raises(NovaError, match=other) as error:
        site.rotation.rotate(site.bring)
    assert "--retire" in error.value.remedy
    site.rotation.retire(other)
    assert site.keys() == {site.has: "Active"}


def test_the_key_in_use_is_switched_on_again_rather_than_deleted(site: Site) -> None:
    used = site.has = site.make()
    with pytest.raises(NovaError, match="switched on again"):
        site.rotation.retire(used)
    assert site.keys() == {used: "Active"}


@pytest.mark.parametrize("has", ["", "AKIAGONE"])
def test_of_a_machine_that_has_no_good_key_either_of_two_others_can_be_retired(site: Site, has: str) -> None:
    left, other = site.make(), site.make()
    site.has = has
    site.rotation.retire(left)
    assert site.keys() == {other: "Active"}


def test_a_key_that_was_switched_off_is_not_deleted_while_the_machine_may_be_without_one_for_that(site: Site) -> None:
    used = site.has = site.make("Inactive")
    with pytest.raises(NovaError, match="switched on again"):
        site.rotation.retire(used)
    assert site.keys() == {used: "Active"}


def test_the_key_in_use_is_not_deleted_while_something_else_is_wrong(site: Site) -> None:
    used = site.has = site.make()
    site.broken = True
    with pytest.raises(NovaError, match="switched on again"):
        site.rotation.retire(used)
    assert site.keys() == {used: "Active"}


@pytest.mark.parametrize(
    "act", [lambda site: site.rotation.rotate(site.bring), lambda site: site.rotation.retire("AKIANONE")]
)
def test_a_user_or_a_key_that_is_not_there_is_named(site: Site, act: Callable[[Site], object]) -> None:
    with pytest.raises(NovaError, match="has no key AKIANONE"):
        site.rotation.retire("AKIANONE")
    site.iam.delete_user(UserName=site.user)
    with pytest.raises(NovaError, match=f"no user {site.user}"):
        act(site)


@pytest.mark.parametrize(("active", "gone"), [((), None), ((True,), "k0"), ((False,), None), ((False, True), "k1")])
def test_the_good_key_is_the_one_that_goes(active: tuple[bool, ...], gone: str | None) -> None:
    found = outgoing([Held(f"k{number}", good, NOON) for number, good in enumerate(active)])
    assert (found and found.id) == gone
