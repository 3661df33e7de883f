"""POST /api/v1/upload: files in, answers out."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from novaburst.error_codes import ErrorCode
from web_tier.bodies import incoming, patience
from web_tier.collection import addresses
from web_tier.images import Image, as_json
from web_tier.intake import Taken
from web_tier.problems import Problem, asks_for_page
from web_tier.tier import tier

blueprint = Blueprint("uploads", __name__)


@blueprint.post("/api/v1/upload")
def upload() -> BaseResponse:
    """Take any number of files; `?batch=` adds them to a batch, `?wait=` waits for the results."""
    seconds = patience()
    batch = _batch(request.args.get("batch"))
    body, parts = incoming()
    taken = tier().intake.take(parts, batch)
    body.drain()
    accepted = [one.image.id for one in taken if one.accepted]
    if not accepted:
        raise _nothing_accepted(taken, batch, body.shortfall)
    if asks_for_page():
        # A browser without JavaScript has sent the page's form.
        return redirect(url_for("pages.batch", batch=batch), 303)
    answers = tier().answers.wait_for(accepted, seconds) if seconds else {}
    finished = len(answers) == len(accepted) and not any(image.pending for image in answers.values())
    response = jsonify(
        batch=batch,
        **addresses(batch),
        accepted=len(accepted),
        refused=len(taken) - len(accepted),
        shortfall=body.shortfall,
        images=_views(taken, answers),
    )
    response.status_code = 200 if finished else 202
    response.headers["Location"] = url_for("results.batch", batch=batch)
    return response


def _batch(given: str | None) -> str:
    if given is None:
        return tier().intake.open_batch()
    if tier().store.batch_created(given) is None:
        raise Problem(404, "there is no such batch: make one with POST /api/v1/batches")
    return given


def _nothing_accepted(taken: Sequence[Taken], batch: str, shortfall: str | None) -> Problem:
    if not taken:
        return Problem(400, shortfall or "there is no file in the request", batch=batch, images=[])
    refusals = [one.image.refusal for one in taken if one.image.refusal]
    codes = {refusal.code for refusal in refusals}
    shared = codes.pop() if len(codes) == 1 else None
    status = {ErrorCode.TOO_LARGE: 413, ErrorCode.NOT_STORED: 503}.get(shared, 422) if shared else 422
    detail = f"none of {len(taken)} files was accepted" if len(taken) > 1 else "the file was not accepted"
    return Problem(status, detail, code=shared, batch=batch, shortfall=shortfall, images=_views(taken, {}))


def _views(taken: Sequence[Taken], answers: dict[str, Image]) -> list[dict[str, Any]]:
    return [
        {"accepted": one.accepted, "url": url_for("results.result", image_id=one.image.id)}
        | as_json(answers.get(one.image.id, one.image))
        for one in taken
    ]
