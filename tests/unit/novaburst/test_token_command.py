import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from novaburst.cli import main
from web_tier.token_file import read
from web_tier.tokens import Scope


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NOVABURST_TOKEN_FILE", str(tmp_path / "tokens.json"))
    return tmp_path / "tokens.json"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["token", *arguments])


def test_a_new_token_is_printed_once_alone_on_standard_output_and_opens_what_was_asked(path: Path) -> None:
    before = datetime.now(UTC)
    made = run("new", "lab", "--scopes", "upload", "--days", "7", "--per-minute", "60", "--bytes-per-day", "20G")
    assert made.exit_code == 0
    text = made.stdout.strip()
    token = read(path).find(text)
    assert token is not None
    assert (token.name, token.scopes, token.per_minute) == ("lab", (Scope.UPLOAD,), 60)
    assert token.bytes_per_day == 20 * 2**30
    assert token.expires is not None
    assert timedelta(days=6) < token.expires - before < timedelta(days=8)
    assert text not in path.read_text() + run("list").output


def test_without_options_it_opens_both_without_limits_or_end(path: Path) -> None:
    text = run("new", "lab").stdout.strip()
    [token] = read(path).tokens
    assert read(path).find(text) == token
    assert token.scopes == (Scope.UPLOAD, Scope.RESULTS)
    assert (token.expires, token.per_minute, token.bytes_per_day) == (None, None, None)


def test_the_list_names_all_of_them_and_marks_who_is_over(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    run("new", "lab")
    run("new", "old", "--days", "1")
    kept = json.loads(path.read_text())
    kept["tokens"][1]["expires"] = "2020-01-01T00:00:00Z"
    path.write_text(json.dumps(kept))
    lines = run("list").stdout.splitlines()
    assert any("lab" in line and "upload, results" in line and "over" not in line for line in lines)
    assert any("old" in line and "2020-01-01 00:00 (over)" in line for line in lines)


def test_a_revoked_token_is_gone_and_no_other(path: Path) -> None:
    lab, home = run("new", "lab").stdout.strip(), run("new", "home").stdout.strip()
    assert run("revoke", "lab").exit_code == 0
    assert read(path).find(lab) is None
    assert read(path).find(home) is not None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("new", "lab"), "already"),
        (("new", "Lab"), "small letters"),
        (("new", "x", "--scopes", "upload,all"), "upload or results"),
        (("new", "x", "--scopes", ""), "upload or results"),
        (("new", "x", "--bytes-per-day", "1k"), "no number of bytes"),
        (("new", "x", "--bytes-per-day", "much"), "no number of bytes"),
        (("new", "x", "--per-minute", "0"), "range"),
        (("revoke", "none"), "there is no token 'none'"),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(path: Path, arguments: tuple[str, ...], words: str) -> None:
    run("new", "lab")
    before = path.read_bytes()
    result = run(*arguments)
    assert result.exit_code != 0
    assert words in result.output
    assert path.read_bytes() == before


@pytest.mark.parametrize("command", [("list",), ("revoke", "lab")])
def test_without_a_file_the_way_to_make_one_is_said(path: Path, command: tuple[str, ...]) -> None:
    result = run(*command)
    assert result.exit_code == 1
    assert "novaburst token new" in result.output
    assert not path.exists()


def test_the_file_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("list")
    assert result.exit_code == 2
    assert "NOVABURST_TOKEN_FILE" in result.output


@pytest.mark.parametrize("command", ["new", "list", "revoke"])
def test_a_commands_help_needs_no_file_and_the_command_says_that_it_does(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOVABURST_TOKEN_FILE", raising=False)
    assert f"Usage: main token {command}" in run(command, "--help").output
    bare = run(command, *(["lab"] if command != "list" else []))
    assert bare.exit_code == 2
    assert "NOVABURST_TOKEN_FILE" in bare.output
