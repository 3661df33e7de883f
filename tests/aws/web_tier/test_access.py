"""Tokens for uploads and results: which address needs which, what each may use, and who sees no names."""

import io
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from flask import Flask
from flask.testing import FlaskClient

from novaburst.contract import Result
from novaburst.settings import SettingsError
from web_tier import access
from web_tier.app import create_app
from web_tier.images import Image, State
from web_tier.settings import WebSettings
from web_tier.tier import tier_of
from web_tier.token_file import change
from web_tier.tokens import Scope, Token, digest, new_text

BATCH, IMAGE = "answered", "image-1"
MIB = 2**20
# What a server with tokens tells everybody; all else needs a token, or is the operator's.
OPEN = {"live", "ready", "status", "home", "fleet", "description", "docs", "unknown", "signOut"}
OPERATORS = {"batches", "scale"}


class Keys:
    """The file of tokens, and the texts of those that were put into it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.texts: list[str] = []

    def new(self, name: str, *scopes: Scope, **about: Any) -> dict[str, str]:
        """The header that carries a new token."""
        text = new_text()
        fields = {"created": datetime.now(UTC), "scopes": scopes or tuple(Scope), **about}
        token = Token.model_validate({"name": name, "sha256": digest(text), **fields})
        change(self.path, lambda tokens: tokens.with_token(token))
        self.texts.append(text)
        return {"Authorization": f"Bearer {text}"}

    def revoke(self, name: str) -> None:
        change(self.path, lambda tokens: tokens.without([name]))


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    path = tmp_path / "keys" / "tokens.json"
    path.parent.mkdir()
    change(path, lambda tokens: tokens)
    return Keys(path)


@pytest.fixture
def settings(settings: WebSettings, keys: Keys) -> WebSettings:
    return settings.model_copy(update={"token_file": keys.path})


@pytest.fixture
def app(app: Flask) -> Flask:
    return with_an_answer(app)


def with_an_answer(app: Flask) -> Flask:
    """The application, with one batch of one answered image."""
    store = tier_of(app).store
    store.add_batch(BATCH, 1.0)
    store.add_image(Image(IMAGE, BATCH, "cat.jpg", 5, State.QUEUED, 100.0))
    store.record([Result(id=IMAGE, batch=BATCH, name="cat.jpg", label="cat", score=1, worker="i-1")], 101.0)
    return app


def operations(client: FlaskClient) -> Iterator[tuple[str, str, str, list[dict[str, list[str]]]]]:
    """Each operation that the server describes: its id, method, an address that is there, and what it needs."""
    for path, item in client.get("/api/v1/openapi.json").json["paths"].items():
        address = re.sub("{batch}", BATCH, path).replace("{image_id}", IMAGE).replace("{path}", "any/path")
        for method, operation in item.items():
            if method != "parameters":
                yield operation["operationId"], method.upper(), address, operation.get("security", [])


def ask(client: FlaskClient, method: str, address: str, headers: dict[str, str]) -> Any:
    # A stream is let through by its first line; its end is the batch's.
    with client.open(address, method=method, headers=headers) as reply:
        return reply


def test_every_address_that_is_described_needs_the_scope_that_it_says_and_no_token_that_is_not_good(
    client: FlaskClient, keys: Keys
) -> None:
    revoked, expired = keys.new("revoked"), keys.new("expired", expires=datetime.now(UTC) - timedelta(seconds=1))
    keys.revoke("revoked")
    scoped = {scope: keys.new(scope.value, scope) for scope in Scope}
    seen = {}
    for name, method, address, needs in operations(client):
        where = f"{method} {address}"
        if name == "signIn":
            # Without a good token, the form again.
            assert ask(client, method, address, {}).status_code == 401
            continue
        seen[name] = needs
        if not needs:
            assert ask(client, method, address, {}).status_code not in {401, 403}, where
            continue
        for headers in ({}, revoked, expired, {"Authorization": "Bearer nbt_made-up"}, {"Authorization": "Basic eDp5"}):
            refused = ask(client, method, address, headers)
            if "operator" in needs[0]:
                assert refused.status_code in {401, 403}, where
                continue
            assert refused.status_code == 401, where
            challenge = refused.headers["WWW-Authenticate"]
            assert challenge.startswith('Bearer realm="novaburst"')
            bearer = headers.get("Authorization", "").startswith("Bearer")
            assert ('error="invalid_token"' in challenge) == bearer, where
        if "operator" in needs[0]:
            continue
        [scope] = needs[0]["token"]
        assert needs[1:] == [{"session": [scope]}], where
        other = next(one for one in Scope if one != scope)
        refused = ask(client, method, address, scoped[other])
        assert refused.status_code == 403, where
        assert f'error="insufficient_scope", scope="{scope}"' in refused.headers["WWW-Authenticate"]
        assert other in refused.text, where
        if method != "DELETE":
            assert ask(client, method, address, scoped[Scope(scope)]).status_code not in {401, 403}, where
    assert ask(client, "DELETE", f"/api/v1/batches/{BATCH}", scoped[Scope.UPLOAD]).status_code in {202, 204}
    assert {name for name, needs in seen.items() if not needs} == OPEN
    assert {name for name, needs in seen.items() if needs and "operator" in needs[0]} == OPERATORS
    assert len(seen) > 18


def test_the_page_of_a_batch_needs_a_token_too_and_head_is_refused_like_get(client: FlaskClient, keys: Keys) -> None:
    good = keys.new("lab", Scope.RESULTS)
    for method in ("GET", "HEAD"):
        assert client.open(f"/batches/{BATCH}", method=method).status_code == 401
        assert client.open(f"/api/v1/batches/{BATCH}", method=method).status_code == 401
        assert client.open(f"/batches/{BATCH}", method=method, headers=good).status_code == 200


def test_without_the_setting_nobody_needs_a_token(aws: object, tmp_path: Path) -> None:
    app = with_an_answer(create_app(WebSettings(prefix="novatest", state_dir=tmp_path / "open")))
    client = app.test_client()
    reply = client.post("/api/v1/upload", data=b"label:cat", content_type="image/jpeg")
    assert reply.status_code == 202
    assert client.get("/api/v1/status").json["recent"][0]["name"] == "cat.jpg"
    document = client.get("/api/v1/openapi.json").json
    assert document["paths"]["/api/v1/upload"]["post"]["security"] == []
    tier_of(app).close()


def test_a_courses_client_reads_in_plain_text_that_it_needs_a_token(client: FlaskClient) -> None:
    for path in ("/", "/classify"):
        reply = client.post(path, data={"inputFile": (io.BytesIO(b"label:cat"), "a.jpg")})
        assert (reply.status_code, reply.mimetype) == (401, "text/plain")
        assert reply.text.startswith("a token is needed")


def test_a_revoked_or_new_token_counts_from_the_next_request_on(client: FlaskClient, keys: Keys) -> None:
    first = keys.new("first")
    assert client.post("/api/v1/batches", headers=first).status_code == 201
    keys.revoke("first")
    second = keys.new("second")
    assert client.post("/api/v1/batches", headers=first).status_code == 401
    assert client.post("/api/v1/batches", headers=second).status_code == 201


def test_names_are_shown_to_those_alone_who_may_see_results(client: FlaskClient, keys: Keys) -> None:
    upload, results = keys.new("upload", Scope.UPLOAD), keys.new("results", Scope.RESULTS)
    names = {}
    for who, headers in (
        ("nobody", {}),
        ("upload", upload),
        ("results", results),
        ("wrong", {"Authorization": "Bearer x"}),
    ):
        for path in ("/api/v1/status", "/"):
            shown = client.get(path, headers={**headers, "Accept": "application/json"}).json
            names[who, path] = [image["name"] for image in shown["recent"]]
            assert shown["images"]["total"] == 1
    assert [key for key, shown in names.items() if shown] == [("results", "/api/v1/status"), ("results", "/")]


def test_above_its_requests_a_minute_a_token_is_told_when_to_come_back_and_another_is_not(
    client: FlaskClient, keys: Keys
) -> None:
    lab, home = keys.new("lab", per_minute=3), keys.new("home", per_minute=3)
    replies = [client.get(f"/api/v1/batches/{BATCH}", headers=lab) for _ in range(4)]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
    assert replies[3].mimetype == "application/problem+json"
    assert 1 <= int(replies[3].headers["Retry-After"]) <= 20
    assert "'lab' allows 3 requests a minute" in replies[3].json["detail"]
    assert client.get(f"/api/v1/batches/{BATCH}", headers=home).status_code == 200
    # What needs no token is not counted.
    assert client.get("/api/v1/status", headers=lab).status_code == 200


def upload(client: FlaskClient, headers: dict[str, str], size: int, **more: Any) -> Any:
    return client.post("/api/v1/upload", data=b"x" * size, content_type="image/jpeg", headers=headers, **more)


def test_above_its_bytes_a_day_a_token_uploads_no_more_and_still_sees_its_results(
    client: FlaskClient, keys: Keys
) -> None:
    lab = keys.new("lab", bytes_per_day=MIB)
    assert [upload(client, lab, 150_000).status_code for _ in range(6)] == [202] * 6
    refused = upload(client, lab, 150_000)
    assert refused.status_code == 429
    assert "1,048,576 bytes a day" in refused.json["detail"]
    assert int(refused.headers["Retry-After"]) <= 3600
    assert client.get(f"/api/v1/batches/{BATCH}", headers=lab).status_code == 200
    assert len(list(boto3.client("s3").list_objects_v2(Bucket="novatest-in-bucket")["Contents"])) == 6


def test_a_body_that_can_never_be_within_the_limit_is_refused_for_good(client: FlaskClient, keys: Keys) -> None:
    lab = keys.new("lab", bytes_per_day=MIB)
    refused = upload(client, lab, MIB + 1)
    assert refused.status_code == 413
    assert "allows 1,048,576 a day" in refused.json["detail"]


def test_with_a_limit_on_bytes_a_body_must_say_how_long_it_is(client: FlaskClient, keys: Keys) -> None:
    limited, free = keys.new("limited", bytes_per_day=MIB), keys.new("free")
    # As gunicorn passes such a body on.
    unsaid = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    assert upload(client, limited, 9, environ_overrides=unsaid).status_code == 411
    assert upload(client, free, 9, environ_overrides=unsaid).status_code == 202


def test_each_token_has_idempotency_keys_of_its_own(client: FlaskClient, keys: Keys) -> None:
    lab, home = keys.new("lab"), keys.new("home")
    for address, about in (
        ("/api/v1/batches", {}),
        ("/api/v1/upload", {"data": b"label:cat", "content_type": "image/jpeg"}),
    ):
        # To come to another's batch, it would be enough to guess a key and the content.
        batches = [
            client.post(address, headers=who | {"Idempotency-Key": "cat"}, **about).json["batch"]
            for who in (lab, lab, home)
        ]
        assert batches[0] == batches[1] != batches[2]


def test_a_file_that_went_straight_to_s3_is_counted_once_it_is_said_to_be_there(
    client: FlaskClient, keys: Keys
) -> None:
    lab = keys.new("lab", bytes_per_day=MIB)
    batch = client.post("/api/v1/batches", headers=lab).json["batch"]
    address = f"/api/v1/batches/{batch}/presigned"
    form = client.post(address, json={"files": [{"name": "a.jpg"}]}, headers=lab).json["uploads"][0]
    boto3.client("s3").put_object(Bucket="novatest-in-bucket", Key=form["id"], Body=b"x" * (MIB - 1000))
    assert upload(client, lab, 500).status_code == 202
    for _ in range(2):
        client.post(f"{address}/complete", json={"ids": [form["id"], form["id"]]}, headers=lab)
    assert upload(client, lab, 400).status_code == 202
    assert upload(client, lab, 2000).status_code == 429


def test_a_file_of_tokens_that_cannot_be_read_lets_nobody_in_and_is_in_the_log(
    client: FlaskClient, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    good = keys.new("lab")
    keys.path.chmod(0o644)
    reply = client.post("/api/v1/batches", headers=good)
    assert (reply.status_code, reply.mimetype) == (503, "application/problem+json")
    assert str(keys.path) not in reply.text
    assert "chmod 600" in caplog.text
    assert client.get("/healthz").status_code == 200
    keys.path.chmod(0o600)
    assert client.post("/api/v1/batches", headers=good).status_code == 201


def test_the_application_does_not_start_without_its_file_of_tokens(settings: WebSettings, keys: Keys) -> None:
    keys.path.unlink()
    with pytest.raises(SettingsError, match=r"NOVABURST_TOKEN_FILE.*novaburst token new"):
        create_app(settings)


def test_an_address_of_which_nobody_said_whether_it_needs_a_token_stops_the_start(
    settings: WebSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_OPEN", access._OPEN - {"fleet.fleet"})
    with pytest.raises(RuntimeError, match=r"fleet\.fleet"):
        create_app(settings)


def test_no_answer_no_log_and_no_file_repeats_a_token(
    client: FlaskClient, keys: Keys, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = []
    with caplog.at_level(logging.DEBUG):
        good = keys.new("good", per_minute=50, bytes_per_day=MIB)
        gone = keys.new("gone")
        keys.revoke("gone")
        for headers in (good, gone, keys.new("narrow", Scope.UPLOAD), keys.new("slow", per_minute=1)):
            for _, method, address, _ in operations(client):
                with client.open(address, method=method, headers=headers) as reply:
                    told += [str(reply.headers), "" if reply.is_streamed else reply.text]
            upload(client, headers, 2 * MIB)
        keys.path.write_text("{")
        told.append(client.post("/api/v1/batches", headers=good).text)
    assert len(keys.texts) == 4
    for text in (*told, caplog.text, *(record.getMessage() for record in caplog.records)):
        assert not [token for token in keys.texts if token in text or digest(token) in text]
    for path in tmp_path.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not [token for token in keys.texts if token.encode() in content], path
