"""From an address to a web tier that is ready: when a key is made and brought, and when not."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from openstack.connection import Connection

from web_tier.nova import handover
from web_tier.nova.access_keys import Held
from web_tier.nova.credentials import AccessKey
from web_tier.nova.delivery import DeliveryError, Destination
from web_tier.nova.handover import Handover, hand_over
from web_tier.nova.problem import NovaError
from web_tier.nova.ready import Readiness, Sight

CONSOLE = """booting
-----BEGIN SSH HOST KEY KEYS-----
ssh-ed25519 AAAAHOST root@lab
-----END SSH HOST KEY KEYS-----
login:
"""
TO = Handover("s-1", "203.0.113.9", "http://203.0.113.9/readyz", 60, "lab-7", "debian", None)


SILENT, READY = Sight(Readiness.SILENT), Sight(Readiness.READY)
KEYLESS = Sight(Readiness.INSTALLED, ("credentials", "in-bucket", "out-bucket"))
BUCKETLESS = Sight(Readiness.INSTALLED, ("in-bucket", "out-bucket"))


class Cloud:
    """A cloud of which only a machine's console is asked."""

    compute: Any

    def __init__(self) -> None:
        self.compute = self

    def get_server_console_output(self, server: str) -> dict[str, str]:
        assert server == TO.server_id
        return {"output": CONSOLE}


class Keys:
    """IAM's side, in memory; `made` are the keys that were made, `there` those that there were before."""

    made: ClassVar[list[str]] = []
    there: ClassVar[list[Held]] = []

    def __init__(self, _iam: object, prefix: str, _say: Callable[[str], None]) -> None:
        self._prefix = prefix

    def held(self) -> list[Held]:
        return self.there

    @contextmanager
    def fresh(self, _held: Sequence[Held]) -> Iterator[AccessKey]:
        self.made.append("AKIA")
        yield AccessKey("AKIA", self._prefix)


@pytest.fixture
def brought(monkeypatch: pytest.MonkeyPatch) -> list[Destination]:
    """Where keys were brought to; making and sending them is not tried here."""
    destinations: list[Destination] = []
    monkeypatch.setattr(Keys, "made", [])
    monkeypatch.setattr(handover, "AccessKeys", Keys)
    monkeypatch.setattr(handover, "reach", lambda _to: None)
    monkeypatch.setattr(handover, "deliver", lambda _key, to: destinations.append(to))
    return destinations


def seen(monkeypatch: pytest.MonkeyPatch, *sights: Sight) -> None:
    """What is seen, one look after the other; the last one stays until the time of waiting is over."""
    left = list(sights)

    def wait(_url: str, reached: Callable[[Sight], bool], _seconds: float) -> Sight:
        while not reached(left[0]) and len(left) > 1:
            left.pop(0)
        return left[0]

    monkeypatch.setattr(handover.ready, "wait", wait)


def hand(said: list[str] | None = None, *, bring_key: bool = True) -> Sight:
    cloud: Any = Cloud()
    connection: Connection = cloud
    return hand_over(connection, TO, ([] if said is None else said).append, bring_key=bring_key)


def test_what_is_ready_gets_no_further_key(monkeypatch: pytest.MonkeyPatch, brought: list[Destination]) -> None:
    seen(monkeypatch, READY)
    assert hand().ready
    assert brought == []


def test_what_lacks_a_key_gets_one_at_the_host_that_the_console_showed(
    monkeypatch: pytest.MonkeyPatch, brought: list[Destination]
) -> None:
    seen(monkeypatch, SILENT, KEYLESS, READY)
    said: list[str] = []
    assert hand(said).ready
    assert brought == [Destination(TO.address, "debian", None, ("ssh-ed25519 AAAAHOST",))]
    assert not any("--retire" in line for line in said)


def test_the_good_keys_that_there_were_before_are_named_and_how_each_is_ended(
    monkeypatch: pytest.MonkeyPatch, brought: list[Destination]
) -> None:
    noon = datetime(2026, 11, 28, 12, tzinfo=UTC)
    monkeypatch.setattr(Keys, "there", [Held("AKIAOLD", True, noon), Held("AKIAOFF", False, noon)])
    seen(monkeypatch, KEYLESS, READY)
    said: list[str] = []
    assert hand(said).ready
    assert len(brought) == 1
    (line,) = (line for line in said if "--retire" in line)
    assert "AKIAOLD of 2026-11-28 12:00" in line
    assert "`novaburst nova key --retire AKIAOLD`" in line


def test_on_demand_the_key_is_left_to_a_person(monkeypatch: pytest.MonkeyPatch, brought: list[Destination]) -> None:
    seen(monkeypatch, KEYLESS)
    assert hand(bring_key=False) == KEYLESS
    assert brought == []


@pytest.mark.parametrize("bring_key", [True, False])
def test_what_lacks_anything_but_a_key_gets_none_however_often_it_is_asked(
    monkeypatch: pytest.MonkeyPatch, brought: list[Destination], bring_key: bool
) -> None:
    for _ in range(3):
        seen(monkeypatch, BUCKETLESS)
        with pytest.raises(NovaError, match=r"is not ready after 60 s \(.*failed: in-bucket, out-bucket\)") as error:
            hand(bring_key=bring_key)
        assert f"curl {TO.url}" in error.value.remedy
    assert (brought, Keys.made) == ([], [])


@pytest.mark.parametrize(("later", "keys"), [(READY, 0), (KEYLESS, 1)])
def test_what_it_lacks_at_first_may_come_by_itself_and_only_then_it_knows_whether_it_lacks_a_key(
    monkeypatch: pytest.MonkeyPatch, brought: list[Destination], later: Sight, keys: int
) -> None:
    seen(monkeypatch, Sight(Readiness.INSTALLED, ("clock", "in-bucket")), later, READY)
    assert hand().ready
    assert len(brought) == keys


def test_a_machine_that_stays_silent_is_shown_by_the_end_of_its_console(monkeypatch: pytest.MonkeyPatch) -> None:
    seen(monkeypatch, SILENT)
    with pytest.raises(NovaError, match=r"nothing answers at http://203.0.113.9/readyz after 60 s.*\n(.*\n)*  login:"):
        hand()


@pytest.mark.parametrize("way", ["reach", "deliver"])
@pytest.mark.usefixtures("brought")
def test_a_key_that_did_not_arrive_is_a_problem_with_a_remedy(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    def refuse(*_: object) -> None:
        raise DeliveryError("203.0.113.9 does not let us in: Connection refused")

    seen(monkeypatch, KEYLESS)
    monkeypatch.setattr(handover, way, refuse)
    with pytest.raises(NovaError, match="Connection refused") as error:
        hand()
    assert "--ssh-from" in error.value.remedy
    assert Keys.made == (["AKIA"] if way == "deliver" else [])


@pytest.mark.usefixtures("brought")
def test_a_web_tier_that_lacks_more_than_a_key_is_asked_what(monkeypatch: pytest.MonkeyPatch) -> None:
    seen(monkeypatch, KEYLESS, BUCKETLESS)
    with pytest.raises(NovaError, match=r"has its key and is not ready .*failed: in-bucket, out-bucket") as error:
        hand()
    assert f"curl {TO.url}" in error.value.remedy
