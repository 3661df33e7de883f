import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from novaburst.cli import main
from novaburst.client import Client, ClientError
from novaburst.client.connection import address, asked_seconds, pause_seconds
from tests.unit.novaburst.conftest import PlayedTier


@given(st.integers(0, 10_000), st.floats(0, 0.999))
def test_pauses_grow_to_a_bound_and_are_never_nothing(attempt: int, drawn: float) -> None:
    assert 0.1 < pause_seconds(attempt, None, lambda: drawn) <= 15


@given(st.floats(0, 60), st.floats(0, 0.999))
def test_a_pause_that_the_server_asks_for_is_never_cut(asked: float, drawn: float) -> None:
    assert asked <= pause_seconds(0, asked, lambda: drawn) <= 75


def test_retry_after_is_understood_in_both_of_its_forms() -> None:
    now = datetime(2026, 11, 25, 5, 0, tzinfo=UTC).timestamp()
    assert asked_seconds("7", now) == 7
    assert asked_seconds("Wed, 25 Nov 2026 05:00:30 GMT", now) == 30
    assert asked_seconds("Wed, 25 Nov 2026 04:00:00 GMT", now) == 0
    assert asked_seconds("soon", now) is None
    assert asked_seconds(None, now) is None


def test_an_error_says_what_was_refused_and_with_which_status(tier: PlayedTier) -> None:
    with Client(tier.url) as client, pytest.raises(ClientError, match="there is no such batch") as caught:
        client.batch("unknown")
    assert caught.value.status == 404


def test_a_web_tier_that_is_away_for_good_is_said_in_words() -> None:
    with Client("http://127.0.0.1:1", patience_seconds=0.5) as client, pytest.raises(ClientError) as caught:
        client.open_batch()
    assert "is the web tier up?" in str(caught.value)
    assert caught.value.status is None


WRONG = ["localhost:8000", "example.org", "http://", "http://[::1", "http://h:99999", "ftp://h", "http://my host", ""]


@pytest.mark.parametrize("given", WRONG)
def test_what_is_no_address_is_refused_before_anything_is_asked(given: str) -> None:
    with pytest.raises(ClientError, match="is no address of a web tier: give it as http://HOST:PORT"):
        Client(given)


@pytest.mark.parametrize(
    "given", ["http://[::1]:8000/", "https://novaburst.example.org", "http://h/below/", " http://h\n"]
)
def test_an_address_is_taken_without_the_slash_at_its_end(given: str) -> None:
    assert address(given) == given.strip().rstrip("/")


@pytest.mark.parametrize("given", ["localhost:8000", "http://[::1", "http://h:99999"])
@pytest.mark.parametrize("command", [["submit", "."], ["results", "b"], ["status"], ["scale"], ["watch"]])
def test_a_wrong_address_is_wrong_usage_of_every_command(command: list[str], given: str) -> None:
    for arguments, environment in (([*command, "--url", given], {}), (command, {"NOVABURST_URL": given})):
        result = CliRunner(env=environment).invoke(main, arguments)
        assert result.exit_code == 2, result.output
        assert "is no address of a web tier" in " ".join(result.stderr.split())


def test_what_no_time_can_mend_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://")
    began = time.monotonic()
    with Client("http://192.0.2.1", patience_seconds=30) as client, pytest.raises(ClientError, match="cannot be asked"):
        client.open_batch()
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_web_tier_on_this_machine_is_asked_without_a_proxy_and_another_one_with_it(
    tier: PlayedTier, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", tier.url)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with Client(tier.url.replace("127.0.0.1", host), patience_seconds=1) as client:
        assert client.open_batch() == "batch-1"
    monkeypatch.setenv("http_proxy", tier.url)
    # A proxy is asked for a whole address, whose path this one looks at.
    with Client("http://192.0.2.1", patience_seconds=1) as client:
        assert client.open_batch() == "batch-2"


def test_that_a_request_will_be_repeated_is_told_once_within_the_patience() -> None:
    said: list[str] = []
    with Client("http://127.0.0.1:1", patience_seconds=1.5, on_trouble=said.append) as client:
        with pytest.raises(ClientError):
            client.open_batch()
        assert said == ["http://127.0.0.1:1 does not answer"]
        with pytest.raises(ClientError):
            client.scale(None)
    assert len(said) == 1


def test_one_submission_after_the_other_uses_the_same_connections(tier: PlayedTier, photos: Path) -> None:
    with Client(tier.url) as client:
        for _ in range(20):
            client.submit([photos / "0" / "000.jpg"])
    assert tier.connections == 1


def test_results_come_page_by_page_each_once(tier: PlayedTier) -> None:
    tier.page = 3
    tier.batches.add("b")
    tier.take("b", [(f"{number}.jpg", b"x") for number in range(10)])
    with Client(tier.url) as client:
        assert [answer.name for answer in client.results("b")] == [f"{number}.jpg" for number in range(10)]
        assert [answer.name for answer in client.iter_results("b")] == [f"{number}.jpg" for number in range(10)]
        assert client.wait("b").done == 10


def test_waiting_ends_with_an_error_when_time_is_up(tier: PlayedTier, monkeypatch: pytest.MonkeyPatch) -> None:
    tier.batches.add("b")
    monkeypatch.setattr(
        PlayedTier,
        "batch",
        lambda *_: {"created": "", "filling": False, "counts": {"total": 5, "done": 1, "failed": 0, "pending": 4}},
    )
    with Client(tier.url) as client, pytest.raises(TimeoutError, match="4 of 5 images"):
        client.wait("b", 0.3)
