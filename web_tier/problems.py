"""Errors: RFC 9457 problem details for programs, a page in words for people, plain text for the course's clients."""

import logging
import sqlite3
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError
from flask import Flask, Response, json, render_template, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from novaburst.error_codes import REMEDIES, ErrorCode
from web_tier.browser_policy import NOTHING_RUNS
from web_tier.integrity import is_damage
from web_tier.reachability import remedy

log = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"
_RETRY_AFTER_SECONDS = "2"
# The blueprint whose clients read plain text, whatever happens.
_PLAIN = "course_clients"
_DESCRIPTION = "GET /api/v1/docs describes the addresses"


class Problem(Exception):  # noqa: N818 - the RFC's noun
    """An answer other than the one asked for; `members` are extensions of the problem object."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: ErrorCode | None = None,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = HTTPStatus(status)
        self.detail = detail
        self.code = code
        self.headers = dict(headers or {})
        if self.status is HTTPStatus.SERVICE_UNAVAILABLE:
            self.headers.setdefault("Retry-After", _RETRY_AFTER_SECONDS)
        self.members = members

    def response(self) -> Response:
        """The problem as a response in the form that the client reads."""
        if asks_for_page():
            images = self.members.get("images", ())
            text = render_template("problem.html", title=self.status.phrase, detail=self.detail, images=images)
            return Response(text, self.status, self.headers | NOTHING_RUNS, mimetype="text/html")
        if request.blueprint == _PLAIN and request.method == "POST":
            return Response(self.detail, self.status, self.headers, mimetype="text/plain")
        body: dict[str, Any] = {
            "type": f"urn:novaburst:error:{self.code}" if self.code else "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
            "instance": quote(request.path),
        }
        if self.code:
            body |= {"code": self.code, "remedy": REMEDIES[self.code]}
        return Response(json.dumps(body | self.members), self.status, self.headers, mimetype=PROBLEM_JSON)


def init_app(app: Flask) -> None:
    """Answer every error of the application as a problem."""
    app.register_error_handler(Problem, lambda problem: problem.response())
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(BotoCoreError, _aws_error)
    app.register_error_handler(ClientError, _aws_error)
    app.register_error_handler(sqlite3.DatabaseError, _store_error)
    app.register_error_handler(Exception, _unexpected)


def _http_error(error: HTTPException) -> Response:
    response = Problem(error.code or 500, _words(error)).response()
    # Such as Allow of a 405; the content type is our own.
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def _words(error: HTTPException) -> str:
    if isinstance(error, NotFound):
        return f"there is nothing at {request.path[:200]}: {_DESCRIPTION}"
    if isinstance(error, MethodNotAllowed):
        return (
            f"{request.method} is no method of {request.path[:200]}: use {', '.join(sorted(error.valid_methods or ()))}"
        )
    return error.description or HTTPStatus(error.code or 500).phrase


def _aws_error(error: Exception) -> Response:
    log.error("AWS did not answer as it should: %s", error)
    return Problem(503, "the storage or the queue cannot be reached just now: try again in a moment").response()


def _store_error(error: sqlite3.DatabaseError) -> Response:
    """A full disk, a lock held for too long, or a damaged file: the client is not at fault and may come again."""
    if not isinstance(error, sqlite3.OperationalError) and not is_damage(error):
        return _unexpected(error)
    log.error("%s %s failed: the store: %s: %s", request.method, request.path, error, remedy(error))
    return Problem(503, "this server can note nothing down just now: try again in a moment").response()


def _unexpected(error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return Problem(500, REMEDIES[ErrorCode.INTERNAL_ERROR], code=ErrorCode.INTERNAL_ERROR).response()


def asks_for_page() -> bool:
    """Whether a person's browser navigates here; scripts and programs do not ask for HTML by name."""
    return "text/html" in request.accept_mimetypes.values()
