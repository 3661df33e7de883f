"""GET /api/v1/openapi.json and /api/v1/docs: the description of the API, for programs and for people.

What the code itself holds, in models and lists, is taken from there; the rest stands in `api/*.yaml`. The tests hold
every answer that they get against it.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import yaml
from flask import Blueprint, Response, json, make_response, render_template, request
from markupsafe import Markup
from pydantic import TypeAdapter

from novaburst.contract import Guess, StageTimes
from novaburst.error_codes import REMEDIES, ErrorCode
from scaling_lambda.apply import Outcome
from scaling_lambda.policy import Plan
from web_tier.browser_policy import NOTHING_RUNS
from web_tier.collection import BatchRequest
from web_tier.evaluations import Evaluation
from web_tier.fleet import HISTORY_MINUTES, MOST_HISTORY_MINUTES
from web_tier.pace import Pace
from web_tier.presigned import CompleteRequest, PresignedRequest
from web_tier.scale import ScaleRequest
from web_tier.settings import WebSettings
from web_tier.tier import tier
from web_tier.tokens import Scope

blueprint = Blueprint("description", __name__)

_FOLDER = Path(__file__).with_name("api")
_ASKED = (BatchRequest, PresignedRequest, CompleteRequest, ScaleRequest)
_ANSWERED = (Plan, Outcome, Pace, Evaluation, Guess, StageTimes)
_METHODS = ("get", "post", "delete")
_CODE = re.compile(r"`([^`]+)`")

Node = dict[str, Any]


@blueprint.get("/api/v1/openapi.json")
def openapi() -> Response:
    """The document; a client that has it already is told so."""
    # In the order of the files, which is the one to read it in.
    response = Response(json.dumps(document(tier().settings), sort_keys=False), mimetype="application/json")
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response


@blueprint.get("/api/v1/docs")
def docs() -> Response:
    """The document as a page."""
    whole = document(tier().settings)
    page = render_template(
        "api.html",
        api=whole,
        groups=[(tag, list(_operations(whole, tag["name"]))) for tag in whole["tags"]],
        remedies=REMEDIES,
    )
    response = make_response(page)
    response.headers.update(NOTHING_RUNS)
    return response


@cache
def document(settings: WebSettings) -> Node:
    """The OpenAPI 3.1 document, with the limits that these settings set."""
    limits = {
        "version": version("novaburst"),
        "max_wait": settings.max_wait_seconds,
        "max_files": f"{settings.max_files_per_upload:,}",
        "max_image_bytes": f"{settings.max_image_bytes:,}",
        "max_upload_bytes": f"{settings.max_upload_bytes:,}",
        "max_streams": settings.max_streams,
        "history_minutes": HISTORY_MINUTES,
        "most_history_minutes": MOST_HISTORY_MINUTES,
        **_access(settings.token_file is not None),
    }
    paths: Node = {}
    for name in ("upload", "results", "batches", "fleet", "session", "health"):
        paths |= _part(name, limits)
    components = _part("components", limits)
    components["schemas"] = {**_part("schemas", limits), **_schemas()}
    return {**_part("document", limits), "paths": paths, "components": components}


def _access(needed: bool) -> dict[str, str]:
    """What the files say of tokens, where this server asks for them and where it does not."""
    if not needed:
        return {"upload": "[]", "results": "[]", "whether": "This server asks for none."}
    return {
        "whether": "This server asks for it.",
        **{scope.value: f"[{{token: [{scope}]}}, {{session: [{scope}]}}]" for scope in Scope},
    }


def _part(name: str, limits: Mapping[str, object]) -> Node:
    text = (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    filled = jinja2.Template(text, undefined=jinja2.StrictUndefined).render(limits)
    part: Node = yaml.safe_load(filled)
    return part


def _schemas() -> Node:
    """The schemas of the models by which bodies are read and answers are made."""
    asked = [(model.__name__, "validation", TypeAdapter[Any](model)) for model in _ASKED]
    answered = [(model.__name__, "serialization", TypeAdapter[Any](model)) for model in _ANSWERED]
    _, whole = TypeAdapter.json_schemas(
        [*asked, *answered],  # type: ignore[list-item]
        ref_template="#/components/schemas/{model}",
    )
    schemas: Node = json.loads(json.dumps(whole["$defs"]))
    schemas["ErrorCode"] = {
        "description": "The fixed list of faults of an image.",
        "enum": [code.value for code in ErrorCode],
    }
    return schemas


@blueprint.app_template_filter("words")
def _words(text: str) -> Markup:
    """Text of the document, with what stands between backticks as code."""
    # Split at the one group of the pattern: words and code take turns.
    parts = enumerate(_CODE.split(text))
    return Markup("").join(Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in parts)


def _operations(whole: Node, tag: str) -> Iterator[Node]:
    for path, item in whole["paths"].items():
        for method in _METHODS:
            operation = item.get(method)
            if operation and tag in operation["tags"]:
                yield _readable(whole, path, method, operation, item.get("parameters", []))


def _readable(whole: Node, path: str, method: str, operation: Node, shared: list[Node]) -> Node:
    """An operation as the page shows it: references followed, but for those to schemas, which have a place there."""

    def followed(node: Node) -> Node:
        if "$ref" not in node:
            return node
        found: Node = whole
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return found

    responses = {status: followed(answer) for status, answer in operation["responses"].items()}
    body = operation.get("requestBody")
    return {
        **operation,
        "path": path,
        "method": method.upper(),
        "parameters": [followed(one) for one in (*shared, *operation.get("parameters", []))],
        "body": followed(body) if body else None,
        "responses": {
            status: {**answer, "headers": {name: followed(h) for name, h in answer.get("headers", {}).items()}}
            for status, answer in responses.items()
        },
    }
