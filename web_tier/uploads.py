"""POST /api/v1/upload: files in, answers out."""

from collections.abc import Iterable, Sequence
from typing import Any

from flask import Blueprint, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from novaburst.error_codes import REMEDIES, ErrorCode
from web_tier.attempts import Attempt, idempotency_key
from web_tier.bodies import NO_FILE, incoming, patience
from web_tier.caller import Caller
from web_tier.collection import addresses
from web_tier.existing import batch_created
from web_tier.images import Image, as_json
from web_tier.intake import Taken
from web_tier.parts import Part, Upload
from web_tier.problems import Problem, asks_for_page
from web_tier.tier import tier

blueprint = Blueprint("uploads", __name__)


@blueprint.post("/api/v1/upload")
def upload() -> BaseResponse:
    """Take any number of files; `?batch=` adds them to a batch, `?wait=` waits for the results.

    With an `Idempotency-Key` a repeated request makes no second image: it is answered as the first one is by now.
    """
    seconds, batch = patience(), _batch(request.args.get("batch"))
    key = idempotency_key()
    if key is None:
        batch = batch or tier().intake.open_batch()
        body, parts = incoming()
        taken = tier().intake.take(parts, batch)
    else:
        with tier().attempts.attempt(f"upload {batch or ''} {key}", batch) as attempt:
            batch = attempt.batch
            body, parts = incoming()
            taken = _once(attempt, body, parts)
    body.drain()
    return _answer(taken, batch, body.shortfall, seconds)


def _once(attempt: Attempt, body: Upload, parts: Iterable[Part]) -> list[Taken]:
    watched = attempt.watch(parts)
    if attempt.images is None:
        tier().store.add_batch(attempt.batch, attempt.created)
        taken = tier().intake.take(watched, attempt.batch)
        # What was cut short is not the whole request: its repetition brings the rest.
        if not body.shortfall and any(one.accepted for one in taken):
            attempt.finish([one.image.id for one in taken])
        return taken
    for part in watched:
        part.body.close()
    if not body.shortfall:
        attempt.compare()
    known = tier().store.images(attempt.images)
    if len(known) < len(set(attempt.images)):
        raise Problem(
            410, "what this request brought was deleted in the meantime: use a new Idempotency-Key to send it again"
        )
    return [Taken(known[image_id], "") for image_id in attempt.images]


def _answer(taken: Sequence[Taken], batch: str, shortfall: str | None, seconds: float) -> BaseResponse:
    accepted = [one.image.id for one in taken if one.accepted]
    if not accepted:
        raise _nothing_accepted(taken, batch, shortfall)
    if asks_for_page():
        # A browser without JavaScript has sent the page's form.
        return redirect(url_for("pages.batch", batch=batch), 303)
    answers = _results(accepted, seconds)
    images = [answers.get(one.image.id, one.image) for one in taken if one.accepted]
    response = jsonify(
        batch=batch,
        **addresses(batch),
        accepted=len(accepted),
        refused=len(taken) - len(accepted),
        shortfall=shortfall,
        images=_views(taken, answers),
    )
    response.status_code = 202 if any(image.pending for image in images) else 200
    response.headers["Location"] = url_for("results.batch", batch=batch)
    return response


def _results(accepted: Sequence[str], seconds: float) -> dict[str, Image]:
    """The images after the wait; none where nobody waits, or so many do that no thread would be left for uploads."""
    if not seconds or not tier().waits.acquire(blocking=False):
        return {}
    try:
        return tier().answers.wait_for(accepted, seconds, Caller(request.environ))
    finally:
        tier().waits.release()


def _batch(given: str | None) -> str | None:
    if given is not None:
        batch_created(given)
    return given


def _nothing_accepted(taken: Sequence[Taken], batch: str, shortfall: str | None) -> Problem:
    if not taken:
        return Problem(400, shortfall or NO_FILE, batch=batch, images=[])
    refusals = [one.image.refusal for one in taken if one.image.refusal]
    codes = {refusal.code for refusal in refusals}
    shared = codes.pop() if len(codes) == 1 else None
    status = {ErrorCode.TOO_LARGE: 413, ErrorCode.NOT_STORED: 503}.get(shared, 422) if shared else 422
    detail = _refusal(taken)
    return Problem(status, detail, code=shared, batch=batch, shortfall=shortfall, images=_views(taken, {}))


def _refusal(taken: Sequence[Taken]) -> str:
    first = taken[0].image
    remedy = REMEDIES[first.refusal.code] if first.refusal else ""
    if len(taken) == 1:
        return f"{first.name!r} was not accepted: {remedy}"
    return f"none of {len(taken)} files was accepted, each for the reason in `images`; {first.name!r}: {remedy}"


def _views(taken: Sequence[Taken], answers: dict[str, Image]) -> list[dict[str, Any]]:
    return [
        {"accepted": one.accepted, "url": url_for("results.result", image_id=one.image.id)}
        | as_json(answers.get(one.image.id, one.image))
        for one in taken
    ]
