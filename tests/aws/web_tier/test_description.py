import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

# Pages for people and what belongs to them; the page at / is also a program's status.
PAGES = {"pages.batch", "pages.static"}
IMPLIED = {"HEAD", "OPTIONS"}


def test_the_document_is_openapi_3_1(client: FlaskClient) -> None:
    document = client.get("/api/v1/openapi.json").json
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()


def test_each_address_and_method_of_the_server_is_in_the_document_and_no_other(app: Flask, client: FlaskClient) -> None:
    served = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - IMPLIED
        if rule.endpoint not in PAGES
    }
    paths = client.get("/api/v1/openapi.json").json["paths"]
    described = {
        (method.upper(), path) for path, item in paths.items() for method in item if method not in {"parameters"}
    }
    assert described == served


def test_each_schema_parameter_header_and_answer_of_the_document_is_used(client: FlaskClient) -> None:
    document = client.get("/api/v1/openapi.json")
    for kind, parts in document.json["components"].items():
        for name in parts:
            if kind != "securitySchemes":
                assert f'"#/components/{kind}/{name}"' in document.text, f"{kind}/{name}"


def test_who_has_the_document_is_told_that_it_is_unchanged(client: FlaskClient) -> None:
    first = client.get("/api/v1/openapi.json")
    again = client.get("/api/v1/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.fixture
def page(client: FlaskClient) -> str:
    reply = client.get("/api/v1/docs")
    assert (reply.status_code, reply.mimetype) == (200, "text/html")
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    return reply.text


def test_the_page_shows_each_operation_and_each_value_and_all_its_links_lead_somewhere(
    client: FlaskClient, page: str
) -> None:
    document = client.get("/api/v1/openapi.json").json
    anchors = set(re.findall(r' id="([^"]+)"', page))
    operations = {
        one["operationId"] for item in document["paths"].values() for key, one in item.items() if key != "parameters"
    }
    assert operations <= anchors
    assert {f"schema-{name}" for name in document["components"]["schemas"]} <= anchors
    assert set(re.findall(r'href="#([^"]+)"', page)) <= anchors


def test_the_page_fetches_nothing_from_elsewhere_and_runs_nothing(page: str) -> None:
    assert "<script" not in page
    assert "style=" not in page
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)


def test_the_limits_are_those_of_this_server(page: str) -> None:
    # As the fixture of the settings has it.
    assert "200,000 bytes a file" in page
