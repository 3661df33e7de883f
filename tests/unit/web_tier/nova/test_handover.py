"""From an address to a web tier that is ready: when a key is made and brought, and when not."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from openstack.connection import Connection

from web_tier.nova import handover
from web_tier.nova.access_keys import Held
from web_tier.nova.credentials import AccessKey
from web_tier.nova.delivery import DeliveryError, Destination
from web_tier.nova.handover import Handover, hand_over
from web_tier.nova.problem import NovaError
from web_tier.nova.ready import Readiness

CONSOLE = """booting
-----BEGIN SSH HOST KEY KEYS-----
ssh-ed25519 AAAAHOST root@lab
-----END SSH HOST KEY KEYS-----
login:
"""
TO = Handover("s-1", "203.0.113.9", "http://203.0.113.9/readyz", 60, "lab-7", "debian", None)


class Cloud:
    """A cloud of which only a machine's console is asked."""

    compute: Any

    def __init__(self) -> None:
        self.compute = self

    def get_server_console_output(self, server: str) -> dict[str, str]:
        assert server == TO.server_id
        return {"output": CONSOLE}


class Keys:
    """IAM's side, in memory; `made` are the keys that were made."""

    made: ClassVar[list[str]] = []

    def __init__(self, _iam: object, prefix: str, _say: Callable[[str], None]) -> None:
        self._prefix = prefix

    def held(self) -> list[Held]:
        return []

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


def seen(monkeypatch: pytest.MonkeyPatch, *far: Readiness) -> None:
    """What is seen, one look after the other."""
    looks = iter(far)

    def wait(_url: str, _reached: Callable[[Readiness], bool], _seconds: float) -> Readiness:
        return next(looks)

    monkeypatch.setattr(handover.ready, "wait", wait)


def hand(*, bring_key: bool = True) -> Readiness:
    cloud: Any = Cloud()
    connection: Connection = cloud
    return hand_over(connection, TO, lambda _: None, bring_key=bring_key)


def test_what_is_ready_gets_no_further_key(monkeypatch: pytest.MonkeyPatch, brought: list[Destination]) -> None:
    seen(monkeypatch, Readiness.READY)
    assert hand() is Readiness.READY
    assert brought == []


def test_what_is_installed_gets_a_key_at_the_host_that_the_console_showed(
    monkeypatch: pytest.MonkeyPatch, brought: list[Destination]
) -> None:
    seen(monkeypatch, Readiness.INSTALLED, Readiness.READY)
    assert hand() is Readiness.READY
    assert brought == [Destination(TO.address, "debian", None, ("ssh-ed25519 AAAAHOST",))]


def test_on_demand_the_key_is_left_to_a_person(monkeypatch: pytest.MonkeyPatch, brought: list[Destination]) -> None:
    seen(monkeypatch, Readiness.INSTALLED)
    assert hand(bring_key=False) is Readiness.INSTALLED
    assert brought == []


def test_a_machine_that_stays_silent_is_shown_by_the_end_of_its_console(monkeypatch: pytest.MonkeyPatch) -> None:
    seen(monkeypatch, Readiness.SILENT)
    with pytest.raises(NovaError, match=r"nothing answers at http://203.0.113.9/readyz after 60 s.*\n(.*\n)*  login:"):
        hand()


@pytest.mark.parametrize("way", ["reach", "deliver"])
def test_a_key_that_did_not_arrive_is_a_problem_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, brought: list[Destination], way: str
) -> None:
    def refuse(*_: object) -> None:
        raise DeliveryError("203.0.113.9 does not let us in: Connection refused")

    seen(monkeypatch, Readiness.INSTALLED)
    monkeypatch.setattr(handover, way, refuse)
    with pytest.raises(NovaError, match="Connection refused") as error:
        hand()
    assert "--ssh-from" in error.value.remedy
    assert Keys.made == (["AKIA"] if way == "deliver" else [])


@pytest.mark.usefixtures("brought")
def test_a_web_tier_that_lacks_more_than_a_key_is_asked_what(monkeypatch: pytest.MonkeyPatch) -> None:
    seen(monkeypatch, Readiness.INSTALLED, Readiness.INSTALLED)
    with pytest.raises(NovaError, match="has its key and is not ready") as error:
        hand()
    assert f"curl {TO.url}" in error.value.remedy
