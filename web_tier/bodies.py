"""How a request names its files and its patience."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from threading import BoundedSemaphore
from typing import TypeVar

from flask import Response, request
from pydantic import BaseModel, ValidationError
from werkzeug.http import parse_options_header

from web_tier.caller import Caller
from web_tier.parts import IN_MEMORY, Limits, Part, Upload
from web_tier.problems import Problem
from web_tier.quantities import quantity
from web_tier.site import LARGE_BYTES
from web_tier.tier import tier

M = TypeVar("M", bound=BaseModel)

# Faults of a body that are told, and of how many all the others are looked at for that: each takes a kilobyte.
_FAULTS = 20
_FAULTS_LOOKED_AT = 1000
# A string of a JSON body, or what each further value of it comes after. It goes over a body once, whatever it holds.
_PIECE = re.compile(rb'"[^"\\]*+(?:\\.?[^"\\]*+)*+"?+|[,\[{]', re.DOTALL)
_CHUNK = 64 * 1024
_WHOLE = ("image/", "application/octet-stream")
_JSON = "application/json"

# JSON bodies of more than IN_MEMORY that one process works on at once: each may take 70 MB while it is parsed.
_LARGE_AT_ONCE = 2
_room = BoundedSemaphore(_LARGE_AT_ONCE)

NO_FILE = "there is no file in the request: send a multipart/form-data form with files"


def incoming() -> tuple[Upload, Iterator[Part]]:
    """The files of the current request's body: of a form, or the body itself as one file named by `?name=`.

    Raises:
        Problem: 413 for a body that says it is too large, 415 for one that holds no files.
    """
    settings, upload = tier().settings, _body()
    if (request.content_length or 0) > settings.max_upload_bytes:
        upload.drain()
        raise Problem(
            413,
            f"the body has {request.content_length:,} bytes, an upload may have at most"
            f" {settings.max_upload_bytes:,}: send the files in several uploads",
        )
    kind, options = parse_options_header(request.headers.get("Content-Type"))
    if kind == "multipart/form-data" and options.get("boundary"):
        return upload, upload.multipart(options["boundary"].encode("latin-1", "replace"))
    if kind.startswith(_WHOLE):
        return upload, upload.whole(request.args.get("name", ""), kind)
    upload.drain()
    if not kind or kind == "application/x-www-form-urlencoded":
        raise Problem(400, NO_FILE)
    raise Problem(415, f"a body of type {kind} holds no files: send multipart/form-data, or an image as the body")


def read_rest(response: Response) -> Response:
    """The response, after the rest of a small body that it does not need, or before that of a large one.

    gunicorn reads 64 KiB of it and closes the connection after more, when nginx may have sent the next request on it,
    or may still be sending this one: then it has not read the answer yet, and tells its client that there is none.
    """
    if (request.content_length or LARGE_BYTES) < LARGE_BYTES:
        # A limit that refused the body has been told of by now.
        request.max_content_length = None
        _body().drain()
    elif request.content_length or "Transfer-Encoding" in request.headers:
        # nginx ends a large body as soon as it has the answer.
        response.call_on_close(Caller(request.environ).hear_out)
    return response


@contextmanager
def room_for_json() -> Iterator[None]:
    """Keep few at work with large JSON bodies at once, from before such a body is read until it is answered.

    Raises:
        Problem: 503, others have taken the room: it may be repeated soon.
    """
    unknown = "Transfer-Encoding" in request.headers
    if not unknown and (request.content_length or 0) <= IN_MEMORY:
        yield
        return
    if not _room.acquire(blocking=False):
        raise Problem(503, "this server is at work with other bodies as large as this one: try again in a moment")
    try:
        yield
    finally:
        _room.release()


def json_body(model: type[M], max_bytes: int, max_pieces: int) -> M:
    """The current request's JSON body as a value; no body is an empty object.

    It is parsed as a whole before the model sees any of it, at up to fifty bytes a byte: so its pieces, which are its
    strings, commas and opening brackets, are counted before.

    Raises:
        Problem: 413 for a longer body, 415 for one of another type, 400 for what is no JSON, 422 for one of more pieces
            and for a value that is not as it should be.
    """
    body = bytearray()
    while len(body) <= max_bytes and (chunk := request.stream.read(_CHUNK)):
        body += chunk
    if len(body) > max_bytes:
        # The rest is read and dropped, so that a client that is still sending can read its answer.
        _body().drain()
        raise Problem(413, f"the body may have at most {max_bytes:,} bytes: send its content in several requests")
    if body and request.mimetype not in {"", _JSON}:
        raise Problem(415, f"a body of type {request.mimetype} is not read here: send {_JSON}")
    if sum(1 for _ in islice(_PIECE.finditer(body), max_pieces + 1)) > max_pieces:
        raise Problem(
            422,
            f"the body has more than {max_pieces:,} strings, commas and brackets, which is more than the longest list"
            " that is taken here: send its content in several requests",
        )
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        if error.error_count() > _FAULTS_LOOKED_AT:
            raise Problem(422, f"{error.error_count():,} values of the body are not as they should be") from error
        found = error.errors(include_url=False, include_context=False, include_input=False)
        faults = [{"field": ".".join(map(str, e["loc"])), "fault": e["msg"]} for e in found[:_FAULTS]]
        malformed = any(e["type"] == "json_invalid" for e in found)
        words = "; ".join(f"{fault['field'] or 'the body'}: {fault['fault']}" for fault in faults)
        raise Problem(400 if malformed else 422, words, faults=faults) from error


def patience(default: float = 0) -> float:
    """How long the client will wait, in seconds: `?wait=`, at most what the settings allow.

    Raises:
        Problem: 400 for anything but a number of seconds.
    """
    return quantity("wait", "seconds", default=default, most=tier().settings.max_wait_seconds)


def _body() -> Upload:
    """What is left of the current request's body."""
    settings = tier().settings
    limits = Limits(settings.max_image_bytes, settings.max_files_per_upload, settings.max_upload_bytes)
    return Upload(request.stream, limits, settings.spool_dir)
