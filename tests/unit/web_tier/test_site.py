"""nginx, gunicorn and the application have one longest wait and one limit on a body."""

import configparser
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from web_tier import gunicorn_config
from web_tier.settings import WebSettings
from web_tier.site import main, render

UNITS = Path(gunicorn_config.__file__).parent / "systemd"


def directive(site: str, name: str) -> int:
    [value] = re.findall(rf"^\s*{name} (\d+)s?;$", site, re.MULTILINE)
    return int(value)


def unit(name: str, section: str = "Service") -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read(UNITS / name)
    return parser[section]


@pytest.mark.parametrize(("wait", "body"), [(None, None), ("45", "1000000"), ("3600", "70000000000")])
def test_the_three_agree_on_the_longest_wait_and_on_the_largest_body(
    wait: str | None, body: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if wait and body:
        monkeypatch.setenv("NOVABURST_MAX_WAIT_SECONDS", wait)
        monkeypatch.setenv("NOVABURST_MAX_UPLOAD_BYTES", body)
    application = WebSettings.load()
    gunicorn = runpy.run_path(gunicorn_config.__file__)
    site = CliRunner().invoke(main, []).stdout
    assert directive(site, "client_max_body_size") == application.max_upload_bytes
    assert application.max_wait_seconds < directive(site, "proxy_read_timeout") < gunicorn["timeout"]
    assert gunicorn["keepalive"] > int(re.findall(r"upstream.*?keepalive_timeout (\d+)s", site, re.DOTALL)[0])


def test_a_reloads_old_worker_stays_as_long_as_a_client_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, object] = {}

    class Worker:
        class cfg:  # noqa: N801 - gunicorn's name
            set = settings.__setitem__

    monkeypatch.setattr("signal.signal", lambda *_: None)
    runpy.run_path(gunicorn_config.__file__)["post_worker_init"](Worker())
    assert settings == {"graceful_timeout": WebSettings.load().max_wait_seconds}


def test_the_site_names_gunicorns_address_and_nginxs_own() -> None:
    site = render(WebSettings.load(bind="127.0.0.1:8123"), "443 ssl")
    assert "server 127.0.0.1:8123 max_conns=" in site
    assert "listen 443 ssl;" in site


def test_a_wrong_setting_gives_no_site_but_its_variables_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABURST_MAX_UPLOAD_BYTES", "much")
    result = CliRunner().invoke(main, [])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "NOVABURST_MAX_UPLOAD_BYTES" in result.stderr


def test_the_units_command_is_one_that_gunicorn_accepts() -> None:
    executable, *arguments = shlex.split(unit("novaburst-web.service")["ExecStart"])
    here = Path(sys.executable).with_name(Path(executable).name)
    checked = subprocess.run([here, *arguments, "--check-config"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_the_web_tiers_stop_outlasts_gunicorns_and_a_reload_is_gunicorns_own() -> None:
    service = unit("novaburst-web.service")
    assert int(service["TimeoutStopSec"]) > runpy.run_path(gunicorn_config.__file__)["graceful_timeout"]
    assert service["ExecReload"].endswith("-s HUP $MAINPID")
    # A signal to each process would end uploads that the master gives time.
    assert service["KillMode"] == "mixed"


def test_the_units_limits_leave_room_for_nginx_within_512_megabytes() -> None:
    limits = [unit(name)["MemoryMax"] for name in ("novaburst-web.service", "novaburst-listener.service")]
    assert sum(int(limit.removesuffix("M")) for limit in limits) + 64 <= 512


def test_systemd_never_gives_up_starting_them_again() -> None:
    for name in ("novaburst-web.service", "novaburst-listener.service"):
        assert unit(name, "Unit")["StartLimitIntervalSec"] == "0"
        assert unit(name)["Restart"] in {"always", "on-failure"}


def test_both_units_are_confined_like_the_workers_and_share_one_state_folder() -> None:
    worker = configparser.RawConfigParser(strict=False)
    worker.optionxform = str  # type: ignore[method-assign,assignment]
    worker.read(UNITS.parents[1] / "worker_ami" / "systemd" / "novaburst-worker.service")
    kinds = ("Protect", "Private", "Restrict", "Lock", "No", "SystemCall")
    confined = [name for name in worker["Service"] if name.startswith(kinds)]
    assert len(confined) > 12
    for name in ("novaburst-web.service", "novaburst-listener.service"):
        service = unit(name)
        for option in [name for name in confined if name not in {"Restart", "RestartSec"}]:
            assert service[option] == worker["Service"][option], option
        assert service["StateDirectory"] == "novaburst"


TLS = {"tls_certificate": "/etc/ssl/novaburst.pem", "tls_key": "/etc/ssl/private/novaburst.key"}


def test_with_a_certificate_what_nginx_passes_on_is_the_same_as_without() -> None:
    plain = render(WebSettings.load(), "80")
    _, shared = plain.split("    listen 80;\n")
    shared = shared.split("    # Whoever signs")[0].rstrip()
    site = "\n".join(
        line for line in render(WebSettings.load(**TLS), "80").splitlines() if "Strict-Transport" not in line
    )
    assert shared in site


def test_each_place_that_adds_a_header_keeps_browsers_to_tls_too() -> None:
    site = render(WebSettings.load(**TLS), "80").split("ssl_session_tickets off;")[1]
    places = [place for place in re.findall(r"\{([^{}]*)", site) if "add_header" in place]
    assert len(places) >= 2
    assert all("add_header Strict-Transport-Security" in place for place in places)
    assert "Strict-Transport" not in render(WebSettings.load(), "80")


@pytest.mark.parametrize(
    ("listen", "port"),
    [
        ("443 ssl default_server", ""),
        ("127.0.0.1:443 ssl", ""),
        ("[::]:8443 ssl", ":8443"),
        ("8443 ssl", ":8443"),
        ("127.0.0.1:9443 ssl", ":9443"),
    ],
)
def test_the_way_to_tls_names_the_port_where_it_is_not_the_usual_one(listen: str, port: str) -> None:
    site = render(WebSettings.load(**TLS), "80", listen)
    assert f"return 308 https://$host{port}$request_uri;" in site
    assert f"listen {listen};" in site


@pytest.mark.parametrize("alone", list(TLS))
def test_a_certificate_without_its_key_is_refused(alone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"NOVABURST_{alone.upper()}", TLS[alone])
    result = CliRunner().invoke(main, [])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "set both" in result.stderr


@pytest.mark.parametrize("path", ["relative.pem", "/etc/a b.pem", "/etc/a;b.pem", "/etc/$x.pem", "/etc/a{b.pem"])
def test_a_path_that_nginx_would_read_otherwise_is_refused(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABURST_TLS_CERTIFICATE", path)
    result = CliRunner().invoke(main, [])
    assert "NOVABURST_TLS_CERTIFICATE" in result.stderr
