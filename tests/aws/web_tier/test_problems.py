"""Errors as programs and people read them: each names the item at fault and what to do."""

import hashlib
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from web_tier.tier import tier_of

NONE = "none-such"


IMAGE = {"data": b"x", "content_type": "image/png"}


@pytest.mark.parametrize(
    ("request_line", "sent", "expected"),
    [
        (f"GET /api/v1/batches/{NONE}", {}, (404, NONE, "POST /api/v1/batches")),
        (f"DELETE /api/v1/batches/{NONE}", {}, (404, NONE, "check the address")),
        (f"GET /api/v1/batches/{NONE}/events", {}, (404, NONE, "check the address")),
        (f"GET /api/v1/batches/{NONE}/results.csv", {}, (404, NONE, "check the address")),
        (f"GET /api/v1/results/{NONE}", {}, (404, NONE, "upload it again")),
        (f"POST /api/v1/upload?batch={NONE}", IMAGE, (404, NONE, "check the address")),
        ("GET /api/v1/nothing", {}, (404, "/api/v1/nothing", "/api/v1/docs")),
        ("PUT /api/v1/upload", {}, (405, "PUT", "use OPTIONS, POST")),
        ("POST /api/v1/upload?wait=soon", IMAGE, (400, "soon", "a number of seconds")),
        ("POST /api/v1/upload", {"json": {}}, (415, "application/json", "send multipart/form-data")),
        ("POST /api/v1/upload?name=cat.jpg", IMAGE | {"data": b""}, (422, "cat.jpg", "upload it again")),
        ("POST /api/v1/batches", {"data": b"{"}, (400, "the body", "JSON")),
        ("POST /api/v1/batches", {"data": b"a", "content_type": "text/plain"}, (415, "text/plain", "application/json")),
        ("POST /api/v1/batches", {"json": {"prefix": NONE}}, (404, NONE, "check how")),
        ("POST /api/v1/batches", {"json": {"bucket": "other", "keys": ["a"]}}, (403, "other", "copy the objects")),
        ("POST /api/v1/batches", {"json": {"keys": "a"}}, (422, "keys", "should be")),
        ("GET /api/v1/batches", {}, (403, "NOVABURST_SCALE_TOKEN_SHA256", "start the web tier again")),
    ],
)
def test_a_problem_names_its_kind_its_address_the_item_and_the_remedy(
    client: FlaskClient, request_line: str, sent: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    method, address = request_line.split(" ")
    status, item, remedy = expected
    reply = client.open(address, method=method, **sent)
    assert (reply.status_code, reply.mimetype) == (status, "application/problem+json")
    problem = reply.json
    assert problem["status"] == status
    assert problem["instance"] == address.partition("?")[0]
    assert problem["title"]
    assert problem["type"] == (f"urn:novaburst:error:{problem['code']}" if "code" in problem else "about:blank")
    assert item in problem["detail"]
    assert remedy in problem["detail"]


def test_the_address_in_a_problem_is_one_whatever_was_asked(client: FlaskClient) -> None:
    assert client.get("/api/v1/results/%0A%22%3C%C3%A9").json["instance"] == "/api/v1/results/%0A%22%3C%C3%A9"


def test_a_person_reads_the_same_as_a_page_on_which_nothing_runs(client: FlaskClient) -> None:
    reply = client.get(f"/api/v1/batches/{NONE}", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (reply.status_code, reply.mimetype) == (404, "text/html")
    assert NONE in reply.text
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]


def test_a_challenge_says_how_to_authorise(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = tier_of(app)
    hashed = hashlib.sha256(b"token").hexdigest()
    with_token = parts.settings.model_copy(update={"scale_token_sha256": hashed})
    monkeypatch.setitem(parts.__dict__, "settings", with_token)
    reply = app.test_client().get("/api/v1/batches")
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"].startswith("Bearer ")
    assert "Authorization: Bearer" in reply.json["detail"]


ADDRESSES = {
    "/api/v1/upload": {"POST"},
    "/api/v1/batches": {"GET", "POST"},
    "/api/v1/batches/b": {"GET", "DELETE"},
    "/api/v1/batches/b/events": {"GET"},
    "/api/v1/results/i": {"GET"},
    "/api/v1/scale": {"POST"},
    "/api/v1/openapi.json": {"GET"},
    "/": {"GET", "POST"},
    "/any/path": {"GET", "POST"},
}


@pytest.mark.parametrize(("address", "methods"), ADDRESSES.items())
def test_each_address_names_its_methods_to_who_asks_and_to_who_uses_another(
    client: FlaskClient, address: str, methods: set[str]
) -> None:
    allowed = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    assert client.options(address).allow.as_set(preserve_casing=True) == allowed
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - methods:
        reply = client.open(address, method=method)
        assert reply.status_code == 405, method
        assert reply.allow.as_set(preserve_casing=True) == allowed


@pytest.mark.parametrize(
    "address", ["/", "/healthz", "/readyz", "/api/v1/status", "/api/v1/fleet", "/api/v1/openapi.json", "/api/v1/docs"]
)
def test_a_head_is_the_get_without_its_body(client: FlaskClient, address: str) -> None:
    head, get = client.head(address), client.get(address)
    assert (head.status_code, head.mimetype, head.data) == (get.status_code, get.mimetype, b"")


def test_what_has_no_body_has_no_type(client: FlaskClient) -> None:
    batch = client.post("/api/v1/batches").json["batch"]
    reply = client.delete(f"/api/v1/batches/{batch}")
    assert (reply.status_code, reply.data) == (204, b"")
    assert "Content-Type" not in reply.headers
