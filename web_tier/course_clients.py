"""POST / and POST /<any path>: the two generations of the course's clients, answered in plain text with the label.

Both send one image a request and wait. Those of 2021 and 2022 use the field `myfile` and expect the bare label; those
since 2024 use `inputFile` and expect `<name up to its first dot>:<label>`.
"""

from flask import Blueprint, Response, abort, request

from novaburst.control_characters import visible
from web_tier.bodies import NO_FILE, incoming, patience
from web_tier.caller import Caller
from web_tier.images import Image
from web_tier.intake import Taken
from web_tier.names import stem
from web_tier.tier import tier

blueprint = Blueprint("course_clients", __name__)

_NAMED_FIELD = "inputFile"


@blueprint.post("/")
@blueprint.post("/<course:path>")
def classify(path: str = "") -> Response:
    """Take the request's files and answer with a line for each, once all have a result.

    One more line, and status 422, says that files are missing: the body broke off, or went beyond a limit.
    """
    seconds = patience(default=tier().settings.max_wait_seconds)
    body, parts = incoming()
    taken = tier().intake.take(parts, tier().intake.open_batch())
    # What breaks behind the last file concerns no image.
    shortfall = body.shortfall
    body.drain()
    if not taken:
        return _text(shortfall or NO_FILE, 400)
    accepted = [one.image.id for one in taken if one.accepted]
    images = tier().answers.wait_for(accepted, seconds, Caller(request.environ)) if accepted else {}
    lines = [_line(one, images.get(one.image.id, one.image)) for one in taken]
    finals = [images.get(one.image.id, one.image) for one in taken]
    if any(image.pending for image in finals):
        return _text(f"no result within {seconds:.0f} s: upload it again, or look at the page later", 504)
    if shortfall:
        lines.append(visible(shortfall))
    return _text("\n".join(lines), 422 if shortfall or any(image.failure for image in finals) else 200)


@blueprint.get("/<course:path>")
def unknown(path: str) -> Response:
    """An address that nothing answers: not found, rather than a wrong method of the one above."""
    abort(404, "there is nothing at this address")


def _line(one: Taken, image: Image) -> str:
    answer = image.result.label if image.result and image.result.label else ""
    if image.failure:
        answer = f"{image.failure.code}: {image.failure.detail}".removesuffix(": ")
    return visible(f"{stem(image.name)}:{answer}" if one.field == _NAMED_FIELD else answer)


def _text(text: str, status: int) -> Response:
    return Response(text, status, mimetype="text/plain")
