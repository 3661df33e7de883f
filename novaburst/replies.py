"""How AWS's replies are read: one that is none is a failure of AWS, as if it had not come at all.

For a proxy's page, or JSON of another form, botocore raises what is no error of AWS's to those who catch these.
"""

import http.client
from typing import Any

from botocore.exceptions import BotoCoreError
from botocore.parsers import ResponseParser, ResponseParserFactory


class ReplyError(BotoCoreError):
    """A reply is not of the form that AWS's have; what was asked for may have been done."""

    fmt = "AWS's answer cannot be read: {reason}"


class Replies(ResponseParserFactory):
    """Makes the parsers of a botocore session."""

    def create_parser(self, protocol_name: str) -> Any:
        """The parser of that protocol, which raises nothing but ReplyError."""
        return _Parser(super().create_parser(protocol_name), of_objects=protocol_name == "json")


class _Parser:
    def __init__(self, botocores: ResponseParser, *, of_objects: bool) -> None:
        self._botocores = botocores
        # Whether each body is a JSON object or empty; of any other text botocore makes an answer without members.
        self._of_objects = of_objects

    def parse(self, response: dict[str, Any], shape: Any) -> dict[str, Any]:
        status = response["status_code"]
        try:
            # They make None of JSON's null.
            parsed = dict(self._botocores.parse(response, shape))
        except Exception as error:  # whatever a form that it does not foresee leads it to
            if status < http.HTTPStatus.BAD_REQUEST:
                raise ReplyError(reason=f"status {status}, {type(error).__name__}: {error}") from error
            return _by_status(status)
        body = response["body"]
        if self._of_objects and status < http.HTTPStatus.BAD_REQUEST and body and not body.lstrip().startswith(b"{"):
            raise ReplyError(reason=f"status {status}, no JSON object: {body[:80]!r}")
        # The second reading of an error is for its own members alone.
        of_error = shape is not None and shape.metadata.get("exception", False)
        if status >= http.HTTPStatus.BAD_REQUEST and not of_error and not _has_code(parsed):
            return _by_status(status)
        return parsed


def _has_code(parsed: dict[str, Any]) -> bool:
    error = parsed.get("Error")
    return isinstance(error, dict) and bool(error.get("Code"))


def _by_status(status: int) -> dict[str, Any]:
    """What botocore makes of a page that begins with <html>: an error that it tries again if such a status is."""
    said = http.client.responses.get(status, "")
    return {"Error": {"Code": str(status), "Message": said}, "ResponseMetadata": {"HTTPStatusCode": status}}
