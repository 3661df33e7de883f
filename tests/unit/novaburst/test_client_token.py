"""The token goes with every request, in its header, and nowhere else."""

import logging
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from click.testing import CliRunner

from novaburst.cli import main
from novaburst.client import Client, ClientError

TOKEN = "nbt_a-token_of.the~kind"


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Asked:
    """A web tier that takes the token alone, and keeps what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.authorizations: list[str | None] = []
        self.addresses: list[str] = []

    def __call__(self, environ: dict[str, str], start_response: object) -> list[bytes]:
        self.authorizations.append(environ.get("HTTP_AUTHORIZATION"))
        self.addresses.append(environ["PATH_INFO"] + environ.get("QUERY_STRING", ""))
        right = environ.get("HTTP_AUTHORIZATION") == f"Bearer {TOKEN}"
        status = "200 OK" if right else "401 Unauthorized"
        start_response(status, [("Content-Type", "application/json")])  # type: ignore[operator]
        return [b'{"batch": "b"}' if right else b'{"detail": "a token is needed: set NOVABURST_TOKEN"}']


@pytest.fixture
def asked() -> Iterator[Asked]:
    asked = Asked()
    with make_server("127.0.0.1", 0, asked, handler_class=Quiet) as server:  # type: ignore[arg-type]
        asked.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield asked
        server.shutdown()
        thread.join()


def test_a_program_gives_it_and_every_request_carries_it_in_its_header_alone(asked: Asked) -> None:
    with Client(asked.url, token=TOKEN) as client:
        client.open_batch()
        client.status()
        client.delete("b")
    assert asked.authorizations == [f"Bearer {TOKEN}"] * 3
    assert not [address for address in asked.addresses if TOKEN in address]


def test_the_variable_is_the_default_and_the_command_line_uses_it(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = CliRunner().invoke(main, ["status", "--url", asked.url])
    assert refused.exit_code == 1
    assert "401: a token is needed: set NOVABURST_TOKEN" in refused.output
    monkeypatch.setenv("NOVABURST_TOKEN", f" {TOKEN}\n")
    with Client(asked.url) as client:
        client.open_batch()
    CliRunner().invoke(main, ["status", "--url", asked.url])
    assert asked.authorizations == [None, *[f"Bearer {TOKEN}"] * 2]


def test_the_operators_requests_carry_the_operators_token(asked: Asked) -> None:
    with Client(asked.url, token=TOKEN) as client, pytest.raises(ClientError):
        client.scale("operator")
    assert asked.authorizations == ["Bearer operator"]


def test_a_password_of_the_home_folder_does_not_take_its_place(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password other\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Client(asked.url, token=TOKEN) as client:
        client.open_batch()
    assert asked.authorizations == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize("token", ["line\nbreak", " blank before", "ключ", "nul\0"])
def test_what_can_be_no_token_is_refused_and_not_repeated(asked: Asked, token: str) -> None:
    with pytest.raises(ClientError, match="copied whole") as caught:
        Client(asked.url, token=token)
    assert token not in str(caught.value)
    assert asked.addresses == []


def test_neither_errors_nor_logs_repeat_it(asked: Asked, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        with Client(asked.url, token="wrong-token") as client, pytest.raises(ClientError) as caught:
            client.open_batch()
        nowhere = Client("http://127.0.0.1:1", token="wrong-token", patience_seconds=0.1)
        with nowhere, pytest.raises(ClientError) as away:
            nowhere.open_batch()
    assert caplog.records
    assert not [text for text in (str(caught.value), str(away.value), caplog.text) if "wrong-token" in text]
