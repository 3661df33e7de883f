"""The collection of batches: POST, GET and DELETE under /api/v1/batches.

A batch's id is its key: whoever knows it may read, fill and delete the batch. So the list of all ids is the
operator's, and asks for the token of the manual trigger.
"""

import math
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from flask import Blueprint, Response, current_app, jsonify, request, url_for

from novaburst.objects import NotDeletedError
from web_tier.attempts import idempotency_key
from web_tier.batches import Batch
from web_tier.bearer import authorise
from web_tier.images import moment
from web_tier.problems import Problem
from web_tier.tier import tier

blueprint = Blueprint("collection", __name__)

# Batches in one answer: without being asked, and at most.
_LISTED = 50
_MOST_LISTED = 200


@blueprint.post("/api/v1/batches")
def open_batch() -> Response:
    """Make an empty batch for `POST /api/v1/upload?batch=<id>`."""
    key = idempotency_key()
    if key is None:
        batch = tier().intake.open_batch()
    else:
        with tier().attempts.attempt(f"batch {key}") as attempt:
            batch = attempt.batch
            tier().store.add_batch(batch, attempt.created)
    response = jsonify(batch=batch, **addresses(batch))
    response.status_code = 201
    response.headers["Location"] = url_for("results.batch", batch=batch)
    return response


@blueprint.get("/api/v1/batches")
def batches() -> Response:
    """All batches, the newest first, `?limit=` of them; the next ones are at `next`."""
    authorise(request.headers.get("Authorization"), tier().settings.scale_token_sha256)
    limit = _limit(request.args.get("limit", str(_LISTED)))
    found = tier().batches.list(limit + 1, _cursor(request.args.get("after")))
    shown, more = found[:limit], len(found) > limit
    following = url_for("collection.batches", limit=limit, after=_mark(shown[-1])) if more else None
    response = jsonify(batches=[_view(batch) for batch in shown], next=following)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.delete("/api/v1/batches/<batch>")
def delete(batch: str) -> Response:
    """Delete a batch: it is gone at once, its objects now or, when they are many or S3 is away, soon (202)."""
    if not tier().batches.delete(batch):
        raise Problem(404, "there is no such batch, or it has expired")
    try:
        gone = tier().batches.purge()
    except (BotoCoreError, ClientError, NotDeletedError) as error:
        current_app.logger.warning("the objects of batch %s are deleted later: %s", batch, error)
        gone = False
    return Response(status=204 if gone else 202)


def addresses(batch: str) -> dict[str, str]:
    """Where a person and a program find a batch."""
    return {"page": url_for("pages.batch", batch=batch), "url": url_for("results.batch", batch=batch)}


def _view(batch: Batch) -> dict[str, Any]:
    about = {"batch": batch.id, "created": moment(batch.created), "counts": batch.counts.as_json()}
    return about | addresses(batch.id)


def _limit(given: str) -> int:
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= _MOST_LISTED):
        raise Problem(400, f"limit must be a number from 1 to {_MOST_LISTED}, not {given[:40]!r}")
    return int(given)


def _mark(batch: Batch) -> str:
    return f"{batch.created!r}~{batch.id}"


def _cursor(given: str | None) -> tuple[float, str] | None:
    if given is None:
        return None
    created, tilde, batch = given.partition("~")
    try:
        moment_ = float(created)
    except ValueError:
        moment_ = math.nan
    if not tilde or not math.isfinite(moment_):
        raise Problem(400, "after must be as the address in `next` has it")
    return moment_, batch
