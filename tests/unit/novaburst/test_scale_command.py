"""`novaburst scale` before a server that plays the web tier."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from novaburst.cli import main


def report(**changes: Any) -> dict[str, Any]:
    cost = {"active": 0.0, "planned": 0.17, "currency": "USD"}
    plan = {"want": 2, "have": 0, "launch": 2, "reason": "0 waiting", "cost_per_hour": cost}
    actions: dict[str, list[object]] = {"terminate": [], "mark": [], "unmark": []}
    outcome = {"launched": ["i-1", "i-2"], "terminated": [], "short": [], "deferred": [], "failures": []}
    whole = {"via": "lambda", "lambda_failure": None, "plan": plan | actions, "outcome": outcome}
    return whole | changes


@dataclass
class WebTier:
    url: str
    status: int = 200
    body: dict[str, Any] = field(default_factory=report)
    # What was asked, and with which Authorization header.
    asked: list[tuple[Any, str | None]] = field(default_factory=list)


@pytest.fixture
def web_tier() -> Iterator[WebTier]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/api/v1/scale"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            played.asked.append((json.loads(body), self.headers["Authorization"]))
            answer = json.dumps(played.body).encode()
            self.send_response(played.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        played = WebTier(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield played
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(web_tier: WebTier, *options: str) -> Any:
    return CliRunner().invoke(main, ["scale", "--url", web_tier.url, *options])


def test_what_was_asked_and_the_token_reach_the_web_tier(web_tier: WebTier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABURST_SCALE_TOKEN", "from-the-environment")
    assert run(web_tier, "--workers", "2", "--dry-run").exit_code == 0
    assert run(web_tier).exit_code == 0
    assert web_tier.asked == [
        ({"workers": 2, "dry_run": True}, "Bearer from-the-environment"),
        ({"workers": 0, "dry_run": False}, "Bearer from-the-environment"),
    ]


def test_a_token_file_is_read_without_its_line_end(web_tier: WebTier, folder: Path) -> None:
    (folder / "token").write_text("from-a-file\n")
    run(web_tier, "--token-file", "token")
    assert web_tier.asked[0][1] == "Bearer from-a-file"


def test_who_has_given_no_token_is_told_how_this_command_takes_one(web_tier: WebTier) -> None:
    web_tier.status, web_tier.body = 401, {"detail": "a token is needed"}
    result = run(web_tier)
    assert result.exit_code == 1
    assert "401: a token is needed\nGive it in NOVABURST_SCALE_TOKEN or by --token-file" in result.stderr
    web_tier.status = 400
    assert "--token-file" not in run(web_tier).stderr


def test_a_file_that_holds_no_text_is_no_tokens_file(web_tier: WebTier, folder: Path) -> None:
    (folder / "picture").write_bytes(b"\xff\xd8\xff\xe0")
    result = run(web_tier, "--token-file", "picture")
    assert (result.exit_code, result.stderr) == (1, "Error: picture holds no token: it is no text\n")
    assert not web_tier.asked


def test_the_local_clouds_token_is_found_without_being_named(web_tier: WebTier, folder: Path) -> None:
    (folder / ".novaburst").mkdir()
    (folder / ".novaburst" / "scale-token").write_text("local")
    run(web_tier)
    assert web_tier.asked[0][1] == "Bearer local"


def test_the_local_clouds_token_is_sent_to_no_other_machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".novaburst").mkdir()
    (folder / ".novaburst" / "scale-token").write_text("local")
    sent: list[object] = []

    def scale(self: object, token: str | None, **_: object) -> dict[str, Any]:
        sent.append(token)
        return report()

    monkeypatch.setattr("novaburst.client.Client.scale", scale)
    for url in ("http://novaburst.example.org", "http://192.0.2.7:8000", "http://localhost:8000", "http://[::1]:8000"):
        CliRunner().invoke(main, ["scale", "--url", url])
    assert sent == [None, None, "local", "local"]


def test_a_person_reads_what_was_done_why_and_by_whom(web_tier: WebTier) -> None:
    result = run(web_tier)
    assert result.exit_code == 0
    assert "done by the scaling Lambda: 2 launched" in result.stdout
    assert "0 waiting" in result.stdout


def test_a_person_is_told_that_the_lambda_is_broken(web_tier: WebTier) -> None:
    web_tier.body = report(via="web_tier", lambda_failure="ResourceNotFoundException")
    result = run(web_tier)
    assert result.exit_code == 0
    assert "the Lambda failed: ResourceNotFoundException" in result.stdout
    assert "done by the web tier itself" in result.stdout


def test_short_capacity_is_told_in_words_and_is_no_failure(web_tier: WebTier) -> None:
    short = ["VcpuLimitExceeded for c6i.large in any zone"]
    web_tier.body = report(outcome={"launched": ["i-1"], "short": short, "deferred": [], "failures": []})
    result = run(web_tier)
    assert result.exit_code == 0
    assert "done by the scaling Lambda: 1 launched\n" in result.stdout
    assert f"short capacity: {short[0]}" in result.stdout


def test_a_dry_run_does_not_claim_to_have_done_anything(web_tier: WebTier) -> None:
    outcome = {"launched": [], "terminated": [], "short": [], "deferred": [], "failures": []}
    web_tier.body = report(outcome=outcome)
    assert "planned by the scaling Lambda; nothing was done" in run(web_tier, "--dry-run").stdout


def test_a_failure_is_the_exit_status_in_both_forms(web_tier: WebTier) -> None:
    failed = ["launch of 2: UnauthorizedOperation"]
    web_tier.body = report(outcome={"launched": [], "short": [], "deferred": [], "failures": failed})
    result = run(web_tier)
    assert (result.exit_code, "failed: launch of 2: UnauthorizedOperation" in result.stdout) == (1, True)
    result = run(web_tier, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == web_tier.body


def test_a_refusal_is_one_line_with_the_web_tiers_own_words(web_tier: WebTier) -> None:
    web_tier.status, web_tier.body = 403, {"detail": "set NOVABURST_SCALE_TOKEN_SHA256"}
    result = run(web_tier)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [f"Error: {web_tier.url} answered 403: set NOVABURST_SCALE_TOKEN_SHA256"]
