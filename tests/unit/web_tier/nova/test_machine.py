"""The installed distribution makes a machine serve it: its own units, its own site, in place of nginx's welcome."""

from collections.abc import Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from web_tier.connections import CONNECTIONS
from web_tier.nova import credentials, machine
from web_tier.nova.machine import place, serve
from web_tier.settings import WebSettings
from web_tier.site import LISTEN, render

UNITS = Path("web_tier/systemd").resolve()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """As the distribution's nginx leaves it."""
    for folder in ("etc/systemd/system", "etc/nginx/sites-available", "etc/nginx/sites-enabled"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/nginx/nginx.conf").write_text("events {\n\tworker_connections 768;\n}\n")
    (tmp_path / "etc/nginx/sites-available/default").write_text("welcome")
    (tmp_path / "etc/nginx/sites-enabled/default").symlink_to("/etc/nginx/sites-available/default")
    return tmp_path


def test_units_and_site_are_the_shipped_ones_and_the_welcome_page_is_gone(root: Path) -> None:
    settings = WebSettings.load(prefix="lab-7", max_wait_seconds=45)
    place(root, settings)
    placed = {unit.name: unit.read_text() for unit in (root / "etc/systemd/system").iterdir()}
    assert placed == {unit.name: unit.read_text() for unit in UNITS.glob("*.service")}
    [enabled] = (root / "etc/nginx/sites-enabled").iterdir()
    assert enabled.read_text() == render(settings, LISTEN)


def test_nginx_has_connections_for_a_thousand_clients(root: Path) -> None:
    place(root, WebSettings.load(prefix="lab-7"))
    assert f"worker_connections {CONNECTIONS};" in (root / "etc/nginx/nginx.conf").read_text()


def test_placed_again_after_a_setting_has_changed_the_site_follows(root: Path) -> None:
    place(root, WebSettings.load(prefix="lab-7"))
    changed = WebSettings.load(prefix="lab-7", max_upload_bytes=12345)
    place(root, changed)
    place(root, changed)
    [enabled] = (root / "etc/nginx/sites-enabled").iterdir()
    assert "client_max_body_size 12345;" in enabled.read_text()


def test_without_nginx_the_failure_names_the_place(tmp_path: Path) -> None:
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    with pytest.raises(OSError, match="nginx"):
        place(tmp_path, WebSettings.load(prefix="lab-7"))


def test_the_services_start_with_the_machine_and_nginx_gets_no_site_that_it_would_refuse() -> None:
    commands: list[Sequence[str]] = []
    serve(commands.append)
    assert commands[0] == ["systemctl", "daemon-reload"]
    assert ["systemctl", "enable", "novaburst-web.service", "novaburst-listener.service"] in commands
    assert commands.index(["nginx", "-t", "-q"]) < commands.index(["systemctl", "reload-or-restart", "nginx.service"])


@pytest.mark.parametrize("command", [machine.main, credentials.main])
def test_who_asks_for_help_or_is_mistaken_in_an_option_changes_no_machine(
    command: click.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was done")

    monkeypatch.setattr("pwd.getpwall", refuse)
    monkeypatch.setattr("subprocess.run", refuse)
    shown = CliRunner().invoke(command, ["--help"])
    assert (shown.exit_code, "called by root" in " ".join(shown.output.split())) == (0, True)
    assert CliRunner().invoke(command, ["--dry-run"]).exit_code == 2
