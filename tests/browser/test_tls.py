"""The site with TLS, by a real nginx before a real gunicorn that asks for tokens."""

import socket
import ssl
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, FilePayload, expect

from novaburst.client import Client
from tests.browser.conftest import Site
from tests.certificates import make_certificate
from tests.e2e.nginx import Nginx

YEAR = "max-age=31536000"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def token_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tokens") / "tokens.json"


@pytest.fixture(scope="module")
def token(token_file: Path) -> str:
    command = [str(Path(sys.executable).with_name("novaburst")), "token", "--file", str(token_file), "new", "lab"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def cloud_environment(
    cloud_environment: dict[str, str], token_file: Path, token: str, certificate: tuple[Path, Path]
) -> dict[str, str]:
    return cloud_environment | {
        "NOVABURST_TOKEN_FILE": str(token_file),
        "NOVABURST_TLS_CERTIFICATE": str(certificate[0]),
        "NOVABURST_TLS_KEY": str(certificate[1]),
    }


@pytest.fixture
def trusting(certificate: tuple[Path, Path]) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.verify = str(certificate[0])
        # Or a variable of this machine's would win over it.
        session.trust_env = False
        yield session


def handshake(nginx: Nginx, certificate: tuple[Path, Path], version: ssl.TLSVersion, ciphers: str = "") -> Any:
    """The protocol and the cipher on which a client of one version and some ciphers agrees with nginx."""
    context = ssl.create_default_context(cafile=str(certificate[0]))
    with warnings.catch_warnings():
        # That the old versions are old is why they are tried.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = version
        context.minimum_version = version
    # This side's own rules would refuse first.
    context.set_ciphers(f"{ciphers or 'ALL'}:@SECLEVEL=0")
    with (
        socket.create_connection(("127.0.0.1", nginx.tls_port), timeout=30) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as connection,
    ):
        cipher = connection.cipher()
        return connection.version(), cipher and cipher[0]


def test_the_two_newer_versions_are_spoken_with_forward_secrecy_and_nothing_older(
    nginx: Nginx, certificate: tuple[Path, Path]
) -> None:
    assert handshake(nginx, certificate, ssl.TLSVersion.TLSv1_3)[0] == "TLSv1.3"
    for ciphers in ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"):
        assert handshake(nginx, certificate, ssl.TLSVersion.TLSv1_2, ciphers) == ("TLSv1.2", ciphers)
    for version, ciphers in (
        (ssl.TLSVersion.TLSv1, ""),
        (ssl.TLSVersion.TLSv1_1, ""),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA256"),
        (ssl.TLSVersion.TLSv1_2, "AES128-GCM-SHA256"),
    ):
        # By nginx's own word, not by this side's rules.
        with pytest.raises(ssl.SSLError, match="ALERT"):
            handshake(nginx, certificate, version, ciphers)


def test_every_answer_by_tls_keeps_browsers_to_it_nginxs_own_ones_too(nginx: Nginx, trusting: requests.Session) -> None:
    answers = [
        trusting.get(f"{nginx.tls_url}/", timeout=60),
        trusting.get(f"{nginx.tls_url}/healthz", timeout=60),
        trusting.get(f"{nginx.tls_url}/none", timeout=60),
        trusting.post(f"{nginx.tls_url}/api/v1/batches", timeout=60),
        # nginx's own: above the limit on a body.
        trusting.post(f"{nginx.tls_url}/api/v1/upload", data=b"x" * (21 * 2**20), timeout=60),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 404, 401, 413]
    assert [answer.headers.get("Strict-Transport-Security") for answer in answers] == [YEAR] * 5


def test_without_tls_a_look_is_led_to_it_and_anything_that_is_sent_is_refused_in_words(nginx: Nginx) -> None:
    for method in ("GET", "HEAD"):
        reply = requests.request(method, f"{nginx.url}/batches/x?page=2", allow_redirects=False, timeout=60)
        assert reply.status_code == 308
        assert reply.headers["Location"] == f"{nginx.tls_url}/batches/x?page=2"
        # A header by which anybody on the way could keep people out.
        assert "Strict-Transport-Security" not in reply.headers
    for method, path in (("POST", "/api/v1/upload"), ("POST", "/"), ("DELETE", "/api/v1/batches/x")):
        reply = requests.request(method, nginx.url + path, data=b"x", allow_redirects=False, timeout=60)
        assert (reply.status_code, reply.headers["Content-Type"]) == (403, "application/problem+json")
        assert f"https://127.0.0.1:{nginx.tls_port}" in reply.json()["detail"]
    # Whoever signs certificates asks without TLS, and is answered by nginx itself.
    reply = requests.get(f"{nginx.url}/.well-known/acme-challenge/x", allow_redirects=False, timeout=60)
    assert reply.status_code == 404


def test_the_command_lines_client_works_by_tls_with_its_token(
    nginx: Nginx, token: str, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    with Client(nginx.tls_url, token=token) as client:
        assert client.batch(client.open_batch()).total == 0


def test_a_person_works_by_tls_and_the_cookie_never_goes_without_it(
    browser: Browser, site: Site, nginx: Nginx, photos: list[FilePayload], token: str
) -> None:
    with browser.new_context(ignore_https_errors=True) as context:
        page = context.new_page()
        page.goto(nginx.tls_url)
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("html.scripting")).to_have_count(1)
        page.set_input_files("#files", photos[:1])
        expect(page.locator(".image.done .label")).to_have_text("espresso")
        [cookie] = context.cookies()
        assert (cookie["name"], cookie["secure"], cookie["httpOnly"]) == ("novaburst_token", True, True)
        assert cookie["sameSite"] == "Strict"
