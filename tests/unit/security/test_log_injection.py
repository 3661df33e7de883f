"""A stranger's words, in whatever they arrive (paths, names, labels, errors), forge no line and command no terminal."""

import csv
import io
import json
import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import click
import pytest
from click.testing import CliRunner
from gunicorn.config import Config
from gunicorn.glogging import Logger
from hypothesis import given
from hypothesis import strategies as st
from rich.markup import escape
from rich.table import Table

from novaburst import cli
from novaburst.client import Answer
from novaburst.commands.answers import Tally, print_csv, print_json, print_table
from novaburst.commands.view import Snapshot, Trend, as_line, as_panel
from novaburst.control_characters import CONTROLS, visible
from novaburst.terminal import Console, say
from web_tier import clients, gunicorn_config
from web_tier.logs import LineFormatter
from web_tier.names import display_name
from worker_ami.worker.logs import JsonFormatter

# Clears the screen, sets the window's title, returns to the line's start, forges a record, and turns the direction.
HOSTILE = "a\x1b[2Jb\x1b]0;owned\x07c\rd\n2026-01-01 00:00:00 INFO 1 web_tier: all is well\u202egpj.exe\x9b31m\u2028e"
ERROR = ValueError(HOSTILE)
ESCAPED = ("\\x1b[2J", "\\x1b]0;owned\\x07", "\\r", "\\n2026-01-01", "\\u202e", "\\x9b31m", "\\u2028")


def commands_in(text: str) -> list[str]:
    """What a terminal or a log would obey in it, but for the ends of lines."""
    return [found for found in CONTROLS.findall(text) if found != "\n"]


@given(st.text())
def test_visible_text_has_nothing_that_is_obeyed_and_else_the_same_characters(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable() or not CONTROLS.search(shown)
    assert visible(shown) == shown
    if not CONTROLS.search(text):
        assert shown == text


@given(st.text())
def test_a_display_name_never_has_a_control_character(name: str) -> None:
    assert not CONTROLS.search(display_name(name))


def test_names_of_other_scripts_and_emoji_are_shown_as_they_are() -> None:
    for name in ("кошка.jpg", "क्षि.png", "👩‍🚀.heic", "café.jpg"):
        assert visible(name) == name


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Callable[[logging.Formatter], tuple[logging.Logger, io.StringIO]]:
    def build(formatter: logging.Formatter) -> tuple[logging.Logger, io.StringIO]:
        out = io.StringIO()
        handler = logging.StreamHandler(out)
        handler.setFormatter(formatter)
        logger = logging.getLogger("web_tier.test")
        monkeypatch.setattr(logger, "handlers", [handler])
        monkeypatch.setattr(logger, "propagate", False)
        return logger, out

    return build


Logged = Callable[[logging.Formatter], tuple[logging.Logger, io.StringIO]]


def test_a_path_with_a_newline_makes_one_line_of_the_web_tiers_log(logged: Logged) -> None:
    logger, out = logged(LineFormatter("%(levelname)s %(message)s"))
    logger.error("%s %s failed", "GET", HOSTILE)
    assert out.getvalue().count("\n") == 1
    assert commands_in(out.getvalue()) == []
    assert all(part in out.getvalue() for part in ESCAPED)


def test_an_errors_words_in_a_traceback_cannot_begin_a_line_of_the_log(logged: Logged) -> None:
    logger, out = logged(LineFormatter("%(levelname)s %(message)s"))
    logger.error("not stored", exc_info=ERROR, stack_info=True)
    first, *others = out.getvalue().splitlines()
    assert first == "ERROR not stored"
    assert "  Stack (most recent call last):" in others
    assert all(line.startswith("  ") for line in others)
    assert commands_in(out.getvalue()) == []


def test_gunicorns_own_log_is_written_by_the_same_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    # What a master makes for its processes is no other test's.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setattr(clients, "_inherited", [])
    log = Logger(Config())
    try:
        gunicorn_config.on_starting(SimpleNamespace(log=log))
        [handler] = log.error_log.handlers
        assert isinstance(handler.formatter, LineFormatter)
        record = logging.makeLogRecord({"msg": "Error handling request %s", "args": (HOSTILE,)})
        assert CONTROLS.search(handler.format(record)) is None
    finally:
        log.error_log.handlers.clear()


def test_every_handler_of_the_web_tiers_processes_has_that_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    from web_tier import logs  # noqa: PLC0415 - beside what it replaces

    given: dict[str, Any] = {}
    monkeypatch.setattr(logs.logging, "basicConfig", lambda **arguments: given.update(arguments))
    logs.log_to_stderr()
    assert [type(handler.formatter) for handler in given["handlers"]] == [LineFormatter]


def test_the_workers_log_stays_one_json_object_a_line_whatever_a_request_holds(logged: Logged) -> None:
    logger, out = logged(JsonFormatter(HOSTILE))
    logger.error("left to the dead-letter queue: %s", HOSTILE, extra={"image": HOSTILE}, exc_info=ERROR)
    assert out.getvalue().count("\n") == 1
    assert commands_in(out.getvalue()) == []
    assert json.loads(out.getvalue())["image"] == HOSTILE


ANSWERS = [
    Answer.of({"name": HOSTILE, "state": "done", "label": HOSTILE, "score": 0.5, "error": None}),
    Answer.of({"name": HOSTILE, "state": "failed", "error": {"code": HOSTILE, "detail": HOSTILE}}),
]


def test_a_table_of_answers_obeys_no_name_label_error_or_address(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally()
    print_table(tally.count(ANSWERS), tally, f"http://x/{HOSTILE}")
    shown = capsys.readouterr().out
    assert commands_in(shown) == []
    assert "x1b" in shown


def test_a_terminal_is_sent_richs_own_colours_and_no_other_command() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=200, color_system="standard", legacy_windows=False)
    table = Table(escape(HOSTILE))
    table.add_row(f"[red]{escape(HOSTILE)}[/]")
    console.print(table)
    assert "\x1b[31m" in out.getvalue()
    for command in ("\x1b[2J", "\x1b]0;", "\x07", "\r", "\x9b", "\u202e", "\u2028"):
        assert command not in out.getvalue()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_csv_on_a_terminal_shows_what_is_in_it_and_in_a_file_keeps_it() -> None:
    terminal, file = _Terminal(), io.StringIO()
    print_csv(ANSWERS, terminal)
    print_csv(ANSWERS, file)
    assert set(commands_in(terminal.getvalue())) <= {"\r"}, "the ends of CSV's lines"
    assert "\\x1b" in terminal.getvalue()
    file.seek(0)
    assert [row["name"] for row in csv.DictReader(io.StringIO(file.getvalue(), newline=""))] == [HOSTILE, HOSTILE]


def test_json_is_ascii_wherever_it_goes() -> None:
    out = _Terminal()
    print_json("b", "http://x/", ANSWERS, out)
    assert out.getvalue().isascii()
    assert commands_in(out.getvalue()) == []


def test_the_live_view_and_its_line_obey_nothing() -> None:
    snapshot = Snapshot(HOSTILE, 1, 0, 0, 1, 1, 0, {HOSTILE: 1}, ((HOSTILE, HOSTILE),), HOSTILE)
    trend = Trend()
    trend.add(0.0, 0)
    out = io.StringIO()
    Console(file=out, width=200).print(as_panel(snapshot, trend))
    assert commands_in(out.getvalue()) == []
    assert CONTROLS.search(visible(as_line(snapshot, trend))) is None


def test_a_line_of_words_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    say(HOSTILE, err=True)
    for shown in capsys.readouterr():
        assert shown.count("\n") == 1
        assert commands_in(shown) == []


def test_no_command_prints_past_that_rule_but_json_which_is_ascii() -> None:
    for path in (Path(cli.__file__).parent / "commands").glob("*.py"):
        text = path.read_text()
        assert "from rich.console import Console" not in text, path
        assert not re.findall(r"(?<![\w.])print\(", text), path
        assert not re.findall(r"click\.s?echo\((?!json\.dumps\()", text), path


def test_the_error_of_a_command_obeys_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command("bad")
    def bad() -> None:
        raise click.ClickException(HOSTILE)

    monkeypatch.setattr(cli, "_COMMANDS", {"bad": ("bad", "bad")})
    monkeypatch.setitem(sys.modules, "bad", SimpleNamespace(bad=bad))  # type: ignore[arg-type]
    finished = CliRunner().invoke(cli.main, ["bad"])
    assert finished.exit_code == 1
    assert commands_in(finished.output) == []
    assert "\\x1b[2J" in finished.output
