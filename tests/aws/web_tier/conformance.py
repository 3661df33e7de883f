"""A client that holds every answer it gets against the description of the API."""

from functools import cache
from typing import Any

import schemathesis
from flask.testing import FlaskClient
from schemathesis.checks import CHECKS
from werkzeug.test import TestResponse

from web_tier.description import document
from web_tier.settings import WebSettings

_DESCRIBED = frozenset({"GET", "POST", "DELETE"})
_CHECKS = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


class HoldingClient(FlaskClient):
    """Flask's test client; an answer that is not as it is described is an error of the test."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Send the request and check the answer; a stream is the test's own to read."""
        response = super().open(*args, **kwargs)
        method = response.request.method
        if method in _DESCRIBED and response.status_code != 405 and not response.is_streamed:
            operation = _operation(method, response.request.path)
            if operation is not None:
                operation.Case().validate_response(response, checks=CHECKS.get_by_names(list(_CHECKS)))
        return response


@cache
def _description() -> Any:
    return schemathesis.openapi.from_dict(document(WebSettings()))


def _operation(method: str, path: str) -> Any:
    found = _description().find_operation_by_path(method, path)
    # A path of several parts, which OpenAPI cannot write down.
    return found or (None if method == "GET" or path.startswith("/api/") else _description()["/{path}"][method])
