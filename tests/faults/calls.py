"""AWS's calls as they look on the wire: what each asks for, and what AWS answers when it cannot."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

_S3_ACTIONS = {"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}


@dataclass(frozen=True)
class Call:
    """The service, its action, how the service words an error, and the access key of the caller."""

    service: str
    action: str
    protocol: str
    caller: str

    @property
    def identity(self) -> str:
        """What counts as the same kind of call."""
        return f"{self.service}:{self.action}"


def read_call(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Call:
    """What a request asks for, by the protocols that S3, SQS and the query services use."""
    # AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, ...
    scope = headers.get("Authorization", "").partition("Credential=")[2].split("/")
    caller, service = (scope[0], scope[3]) if len(scope) > 4 else ("", "none")
    if target := headers.get("X-Amz-Target"):
        return Call(service, target.rpartition(".")[2], "json", caller)
    if service == "s3":
        listing = method == "GET" and path.strip("/").count("/") == 0
        return Call(service, "ListObjects" if listing else _S3_ACTIONS.get(method, method), "xml", caller)
    if body and headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        return Call(service, parse_qs(body.decode("latin-1")).get("Action", [method])[0], "query", caller)
    return Call(service, f"{method} {path}", "rest", caller)


@dataclass(frozen=True)
class Refusal:
    """Status, body and content type of an error."""

    status: int
    body: bytes
    content_type: str


def failure(call: Call) -> Refusal:
    """AWS's own fault: 500."""
    return _refusal(call, 500, {"s3": "InternalError", "ec2": "InternalError"}.get(call.service, "InternalFailure"))


def throttling(call: Call) -> Refusal:
    """Too many calls."""
    code = {"s3": "SlowDown", "ec2": "RequestLimitExceeded"}.get(call.service, "ThrottlingException")
    return _refusal(call, 503 if call.service in ("s3", "ec2") else 400, code)


def _refusal(call: Call, status: int, code: str) -> Refusal:
    if call.protocol in ("json", "rest"):
        return Refusal(
            status, json.dumps({"__type": code, "message": "a fault"}).encode(), "application/x-amz-json-1.0"
        )
    if call.service == "s3":
        text = f"<Error><Code>{code}</Code><Message>a fault</Message></Error>"
    elif call.service == "ec2":
        text = f"<Response><Errors><Error><Code>{code}</Code><Message>a fault</Message></Error></Errors></Response>"
    else:
        text = f"<ErrorResponse><Error><Code>{code}</Code><Message>a fault</Message></Error></ErrorResponse>"
    return Refusal(status, f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode(), "text/xml")
