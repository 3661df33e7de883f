import io
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from novaburst.cli import main
from novaburst.client import Batch
from novaburst.commands.progress import left, rate
from novaburst.commands.view import Snapshot, Trend, as_line, as_panel
from tests.unit.novaburst.conftest import PlayedTier


def status(**changes: Any) -> dict[str, Any]:
    depth = {"visible": 40, "in_flight": 8, "delayed": 2}
    error = {"code": "not_an_image"}
    whole = {
        "queues": {"request": depth, "response": depth, "dead_letter": depth},
        "fleet": {"pending": 1, "running": 2},
        "images": {"total": 100, "done": 45, "failed": 5, "pending": 50},
        "recent": [
            {"name": "[red]cat.jpg", "state": "done", "label": "tabby", "score": 0.91, "error": None},
            {"name": "notes.txt", "state": "failed", "label": None, "score": None, "error": error},
        ],
    }
    return whole | changes


def panel(snapshot: Snapshot, trend: Trend) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(as_panel(snapshot, trend))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def steady() -> Trend:
    trend = Trend()
    for second in range(200):
        trend.add(second, second * 2)
    return trend


def test_the_rate_is_that_of_the_last_minute_and_gives_the_time_left(steady: Trend) -> None:
    assert steady.a_second == pytest.approx(2)
    assert steady.seconds_left(50) == pytest.approx(25)
    for second in range(200, 300):
        steady.add(second, 400)
    assert steady.a_second == 0
    assert steady.seconds_left(50) is None


def test_a_count_that_falls_starts_the_rate_anew(steady: Trend) -> None:
    steady.add(201, 3)
    assert steady.a_second == 0
    steady.add(202, 4)
    assert steady.a_second == pytest.approx(1)


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 1000)), min_size=1))
def test_the_rate_is_never_negative(steps: list[tuple[float, int]]) -> None:
    trend, now = Trend(), 0.0
    for passed, answered in steps:
        now += passed
        trend.add(now, answered)
        assert trend.a_second >= 0


def test_a_line_tells_batch_backlog_fleet_rate_and_time_left(steady: Trend) -> None:
    line = as_line(Snapshot.of(status(), None), steady)
    assert line == (
        "all images: 50 of 100 answered, 5 without a label, backlog 50, workers 1 pending, 2 running,"
        " 120/min, 25 s left"
    )


def test_a_view_shows_names_as_they_are(steady: Trend) -> None:
    text = panel(Snapshot.of(status(), Batch("b-1", "", "", 10, 4, 1, 5)), steady)
    for part in ("batch b-1", "5 of 10 answered", "[red]cat.jpg", "tabby 91%", "not_an_image", "2 running"):
        assert part in text


def test_what_cannot_be_asked_is_said_to_be_unknown(steady: Trend) -> None:
    snapshot = Snapshot.of(status(queues=None, fleet=None, reason="the queues cannot be reached"), None)
    text = panel(snapshot, steady)
    assert "unknown" in text
    assert "the queues cannot be reached" in text
    assert "the queues cannot be reached" in as_line(snapshot, steady)


def test_rates_and_times_are_in_units_that_people_compare() -> None:
    assert [rate(a) for a in (None, 0, 0.5, 12.4, 1234)] == ["", "", "30/min", "12/s", "1,234/s"]
    assert [left(s) for s in (None, 5.9, 65, 3_700)] == ["", "5 s left", "1 min 05 s left", "1 h 01 min left"]


def test_watching_a_batch_ends_with_its_last_answer_in_plain_lines_without_a_terminal(
    tier: PlayedTier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("novaburst.client.Client.status", lambda _: status())
    tier.batches.add("b")
    tier.take("b", [(f"{number}.jpg", b"x") for number in range(10)])
    result = CliRunner().invoke(main, ["watch", f"{tier.url}/batches/b", "--url", tier.url])
    assert result.exit_code == 0, result.output
    assert "batch b: 10 of 10 answered, backlog 50" in result.stdout
    assert "\x1b" not in result.stdout


def test_a_batch_that_is_not_there_is_said_at_once(tier: PlayedTier) -> None:
    result = CliRunner().invoke(main, ["watch", "b", "--url", tier.url])
    assert result.exit_code == 1
    assert "there is no such batch" in result.stderr
