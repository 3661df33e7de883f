from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest

from web_tier.skew import Skew

NOW = 1_800_000_000


class Client:
    """The part of a boto3 client that is watched."""

    def __init__(self) -> None:
        self.meta = SimpleNamespace(events=self)

    def register(self, event: str, handler: Any) -> None:
        assert event == "after-call"
        self.handler = handler

    def answers(self, date: str | None) -> None:
        headers = {} if date is None else {"Date": date}
        self.handler(http_response=SimpleNamespace(headers=headers), parsed={}, model=None, context={})


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def skew(client: Client) -> Skew:
    skew = Skew(clock=lambda: NOW + 400.5)
    skew.watch(client)
    return skew


def test_before_the_first_answer_nothing_is_known(skew: Skew) -> None:
    assert skew.seconds is None


def test_each_answer_tells_how_far_this_clock_is_ahead(client: Client, skew: Skew) -> None:
    client.answers(formatdate(NOW, usegmt=True))
    assert skew.seconds == 400
    client.answers(formatdate(NOW + 500, usegmt=True))
    assert skew.seconds == -100


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_an_answer_without_a_readable_date_changes_nothing(client: Client, skew: Skew, date: str | None) -> None:
    client.answers(formatdate(NOW, usegmt=True))
    client.answers(date)
    assert skew.seconds == 400


def test_the_clock_is_surely_right_only_while_aws_agrees_with_it(client: Client) -> None:
    clock = {"wall": NOW + 0.5, "since boot": 50.0}
    skew = Skew(clock=lambda: clock["wall"], monotonic=lambda: clock["since boot"])
    skew.watch(client)
    assert not skew.surely_right()
    client.answers(formatdate(NOW, usegmt=True))
    assert skew.surely_right()
    client.answers(formatdate(NOW - 3600, usegmt=True))
    assert not skew.surely_right()


def test_a_clock_that_was_set_since_the_last_answer_is_not_surely_right(client: Client) -> None:
    clock = {"wall": NOW + 0.5, "since boot": 50.0}
    skew = Skew(clock=lambda: clock["wall"], monotonic=lambda: clock["since boot"])
    skew.watch(client)
    client.answers(formatdate(NOW, usegmt=True))
    clock["wall"] += 3600
    clock["since boot"] += 3600
    assert skew.surely_right()
    clock["wall"] += 3600
    assert not skew.surely_right()
