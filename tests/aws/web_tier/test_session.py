"""A person's browser: it gives a token once, keeps it in a cookie, and does nothing for another site's page."""

import io
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from web_tier.settings import WebSettings
from web_tier.tier import tier_of
from web_tier.token_file import change
from web_tier.tokens import Scope, Token, digest, new_text

BATCH = "answered"
BROWSER = {"Accept": "text/html,application/xhtml+xml", "Origin": "http://localhost"}
STRANGER = {"Accept": "text/html", "Origin": "http://evil.example"}
# What changes something: uploads, batches made and deleted, the fleet, the session.
CHANGES = [
    ("POST", "/api/v1/upload"),
    ("POST", "/"),
    ("POST", "/any/path"),
    ("POST", "/api/v1/batches"),
    ("POST", f"/api/v1/batches/{BATCH}/presigned"),
    ("POST", f"/api/v1/batches/{BATCH}/presigned/complete"),
    ("DELETE", f"/api/v1/batches/{BATCH}"),
    ("POST", "/api/v1/scale"),
    ("POST", "/api/v1/session"),
    ("POST", "/api/v1/session/end"),
]
Make = Callable[..., str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.json"
    change(path, lambda tokens: tokens)
    return path


@pytest.fixture
def make(path: Path) -> Make:
    def make(name: str = "lab", scopes: tuple[Scope, ...] = tuple(Scope), expires: datetime | None = None) -> str:
        text = new_text()
        token = Token(name=name, sha256=digest(text), scopes=scopes, created=datetime.now(UTC), expires=expires)
        change(path, lambda tokens: tokens.with_token(token))
        return text

    return make


@pytest.fixture
def settings(settings: WebSettings, path: Path, request: pytest.FixtureRequest) -> WebSettings:
    needed = getattr(request, "param", True)
    return settings.model_copy(
        update={"token_file": path if needed else None, "scale_token_sha256": digest("operator")}
    )


@pytest.fixture
def app(app: Flask) -> Flask:
    tier_of(app).store.add_batch(BATCH, 1.0)
    return app


def sign_in(client: FlaskClient, text: str, **more: Any) -> Any:
    form = {"token": text, **more.pop("form", {})}
    return client.post("/api/v1/session", data=form, headers=BROWSER, **more)


def cookie(reply: Any) -> "Morsel[str]":
    [header] = reply.headers.getlist("Set-Cookie")
    return SimpleCookie(header)["novaburst_token"]


def test_who_has_no_token_gets_a_form_in_place_of_the_page_and_with_one_the_page(
    client: FlaskClient, make: Make
) -> None:
    form = client.get("/", headers=BROWSER)
    assert form.status_code == 200
    assert 'name="token"' in form.text
    assert 'id="files"' not in form.text
    assert "form-action 'self'" in form.headers["Content-Security-Policy"]
    reply = sign_in(client, make())
    assert (reply.status_code, reply.headers["Location"]) == (303, "/")
    page = client.get("/", headers=BROWSER).text
    assert 'id="files"' in page
    assert "Sign out" in page


def test_who_opens_a_batch_is_asked_and_led_on_to_it(client: FlaskClient, make: Make) -> None:
    form = client.get(f"/batches/{BATCH}", headers=BROWSER)
    assert form.status_code == 401
    assert form.headers["WWW-Authenticate"].startswith("Bearer ")
    assert f'name="batch" value="{BATCH}"' in form.text
    reply = sign_in(client, make(), form={"batch": BATCH})
    assert reply.headers["Location"] == f"/batches/{BATCH}"
    assert client.get(f"/batches/{BATCH}", headers=BROWSER).status_code == 200


@pytest.mark.parametrize("batch", ["//evil.example", "https://evil.example/", "../../x", "\r\nX: y", "a/b"])
def test_the_way_on_is_a_batch_of_this_server_or_its_start(client: FlaskClient, make: Make, batch: str) -> None:
    assert sign_in(client, make(), form={"batch": batch}).headers["Location"] == "/"


def test_the_cookie_is_for_no_script_no_other_site_and_under_tls_for_tls_alone(client: FlaskClient, make: Make) -> None:
    text = make(expires=datetime.now(UTC) + timedelta(hours=1))
    kept = cookie(sign_in(client, text))
    assert (kept["httponly"], kept["samesite"], kept["path"], kept["secure"]) == (True, "Strict", "/", "")
    # No longer than the token is good.
    assert 3000 < int(kept["max-age"]) <= 3600
    assert cookie(sign_in(client, text, base_url="https://localhost"))["secure"] is True
    # TLS that ends before us is known to the browser alone.
    headers = {**BROWSER, "Origin": "https://localhost"}
    assert cookie(client.post("/api/v1/session", data={"token": text}, headers=headers))["secure"] is True


def test_a_wrong_token_brings_the_form_again_with_words_and_no_cookie(
    client: FlaskClient, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    make()
    for text in ("nbt_made-up", "", "  "):
        reply = sign_in(client, text, form={"batch": BATCH})
        assert reply.status_code == 401
        assert "unknown, revoked or expired" in reply.text
        assert f'value="{BATCH}"' in reply.text
        assert "Set-Cookie" not in reply.headers
        assert "nbt_made-up" not in reply.text + caplog.text


def test_each_try_to_sign_in_is_a_line_of_the_audit_log_that_holds_no_token(
    client: FlaskClient, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    text = make("lab")
    with caplog.at_level(logging.INFO, "web_tier.audit"):
        sign_in(client, text)
        sign_in(client, "nbt_made-up")
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "web_tier.audit"]
    assert [(line["action"], line["token"]) for line in lines] == [("sign in", "lab"), ("sign in", None)]
    assert text not in caplog.text
    assert "made-up" not in caplog.text


def test_with_the_cookie_the_page_uploads_reads_streams_downloads_and_deletes(client: FlaskClient, make: Make) -> None:
    sign_in(client, make())
    reply = client.post(
        "/api/v1/upload", data={"file": (io.BytesIO(b"label:cat"), "cat.jpg")}, headers=BROWSER, buffered=True
    )
    assert reply.status_code == 303
    batch = reply.headers["Location"].removeprefix("/batches/")
    for address in ("", "/results.csv", "/results.json"):
        assert client.get(f"/api/v1/batches/{batch}{address}").status_code == 200
    with client.get(f"/api/v1/batches/{batch}/events") as stream:
        assert (stream.status_code, stream.mimetype) == (200, "text/event-stream")
    assert client.get("/api/v1/status").status_code == 200
    deleted = client.delete(f"/api/v1/batches/{batch}", headers={"Origin": "http://localhost"})
    assert deleted.status_code in {202, 204}


def test_signing_out_forgets_the_token_and_revoking_ends_the_session(
    client: FlaskClient, make: Make, path: Path
) -> None:
    sign_in(client, make("lab"))
    reply = client.post("/api/v1/session/end", headers=BROWSER)
    assert (reply.status_code, reply.headers["Location"]) == (303, "/")
    assert int(cookie(reply)["max-age"]) == 0
    assert client.get(f"/api/v1/batches/{BATCH}").status_code == 401
    sign_in(client, make("other"))
    assert client.get(f"/api/v1/batches/{BATCH}").status_code == 200
    change(path, lambda tokens: tokens.without(["other"]))
    assert client.get(f"/api/v1/batches/{BATCH}").status_code == 401
    assert 'name="token"' in client.get("/", headers=BROWSER).text


def test_a_header_wins_over_the_cookie(client: FlaskClient, make: Make) -> None:
    sign_in(client, make())
    refused = client.get(f"/api/v1/batches/{BATCH}", headers={"Authorization": "Bearer nbt_other"})
    assert refused.status_code == 401


@pytest.mark.parametrize("settings", [True, False], indirect=True, ids=["tokens needed", "open to all"])
@pytest.mark.parametrize(
    "said",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:9"},
    ],
)
def test_another_sites_form_or_script_changes_nothing(
    client: FlaskClient, app: Flask, make: Make, settings: WebSettings, said: dict[str, str]
) -> None:
    sign_in(client, make())
    for method, address in CHANGES:
        # As a form sends it, and as a script does, even with the operator's token.
        for more in ({}, {"Authorization": "Bearer operator"}):
            reply = client.open(address, method=method, headers={**said, **more})
            assert reply.status_code == 403, address
            assert "another site" in reply.text
            assert "Set-Cookie" not in reply.headers
    assert tier_of(app).store.batch_created(BATCH) is not None
    assert tier_of(app).store.counts().total == 0


def test_with_the_cookie_a_change_needs_a_browser_that_says_where_it_comes_from(
    client: FlaskClient, make: Make
) -> None:
    text = make()
    sign_in(client, text)
    assert client.post("/api/v1/batches").status_code == 403
    assert client.post("/api/v1/batches", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 201
    assert client.post("/api/v1/batches", headers={"Origin": "http://localhost"}).status_code == 201
    # A program that sends its token is none.
    assert client.post("/api/v1/batches", headers={"Authorization": f"Bearer {text}"}).status_code == 201


@pytest.mark.parametrize("settings", [False], indirect=True)
def test_under_a_host_name_with_an_underscore_our_own_page_changes_what_it_asks_for_and_anothers_nothing(
    client: FlaskClient,
) -> None:
    def opened(origin: str, host: str) -> int:
        return client.post("/api/v1/batches", headers={"Origin": origin, "Host": host}).status_code

    assert opened("http://photo_tier:8000", "photo_tier:8000") == 201
    assert opened("http://photo_tier", "photo_tier:80") == 201
    assert opened("http://evil.example", "photo_tier") == 403
    assert opened("null", "photo_tier") == 403


@pytest.mark.parametrize("settings", [False], indirect=True)
def test_where_no_token_is_needed_there_is_nothing_to_sign_in_to(client: FlaskClient) -> None:
    page = client.get("/", headers=BROWSER).text
    assert 'id="files"' in page
    assert "Sign" not in page
    reply = sign_in(client, "anything")
    assert (reply.status_code, "Set-Cookie" in reply.headers) == (303, False)


def test_a_form_that_is_too_large_is_refused(client: FlaskClient, make: Make) -> None:
    assert sign_in(client, "x" * 5000).status_code == 413
