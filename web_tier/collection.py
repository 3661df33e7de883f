"""The collection of batches: POST, GET and DELETE under /api/v1/batches.

A batch's id is its key: whoever knows it may read, fill and delete the batch. So the list of all ids is the
operator's, and asks for the token of the manual trigger.
"""

import re
import time
from collections.abc import Callable
from typing import Annotated, Any, Self
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError
from flask import Blueprint, Response, current_app, jsonify, request, url_for
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from novaburst.objects import NotDeletedError
from web_tier.attempts import idempotency_key
from web_tier.batches import Batch
from web_tier.bearer import authorise
from web_tier.bodies import json_body, room_for_json
from web_tier.existing import no_batch
from web_tier.images import moment
from web_tier.problems import Problem
from web_tier.tier import tier

blueprint = Blueprint("collection", __name__)

# Batches in one answer: without being asked, and at most.
_LISTED = 50
# Keys in one request, and bytes of its body: keys of 160 bytes. Each is a string and a comma.
_MOST_KEYS = 100_000
_MAX_BODY_BYTES = 16 * 1024 * 1024
_MAX_PIECES = 2 * _MOST_KEYS + 100
_MOST_LISTED = 200
# A batch by when it was made and its id, as `_mark` writes it.
_MARK = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)~([A-Za-z0-9_-]{1,64})")


# What `_keys_or_prefix` below says, for who reads the description of the API.
_EITHER: JsonDict = {
    "anyOf": [
        {"properties": {"bucket": {"type": "null"}, "keys": {"type": "null"}, "prefix": {"type": "null"}}},
        {"required": ["keys"], "properties": {"keys": {"type": "array"}, "prefix": {"type": "null"}}},
        {"required": ["prefix"], "properties": {"prefix": {"type": "string"}, "keys": {"type": "null"}}},
    ]
}


class BatchRequest(BaseModel):
    """What a new batch is made of: nothing yet, objects by their keys, or all that lies under a prefix."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, json_schema_extra=_EITHER)

    # Where the objects lie: the in-bucket, which is the only one that workers may read.
    bucket: Annotated[str, Field(min_length=3, max_length=63)] | None = None
    # The first one that is no string is told: a list of numbers has as many faults as keys.
    keys: Annotated[list[str], Field(min_length=1, max_length=_MOST_KEYS, fail_fast=True)] | None = None
    prefix: Annotated[str, Field(min_length=1, max_length=1024)] | None = None

    @model_validator(mode="after")
    def _keys_or_prefix(self) -> Self:
        if self.keys is not None and self.prefix is not None:
            raise ValueError("give either keys or a prefix")
        if self.bucket is not None and self.keys is None and self.prefix is None:
            raise ValueError("give the keys or the prefix in that bucket")
        return self


@blueprint.post("/api/v1/batches")
@room_for_json()
def open_batch() -> Response:
    """Make a batch: an empty one for uploads (201), or one of objects in the bucket, queued in the background (202)."""
    asked = json_body(BatchRequest, _MAX_BODY_BYTES, _MAX_PIECES)
    if asked.bucket not in {None, tier().settings.in_bucket}:
        raise Problem(403, f"workers do not read {asked.bucket!r}: copy the objects to {tier().settings.in_bucket}")
    key = idempotency_key()
    if key is None:
        return _opened(asked, _fill(asked, str(uuid4()), None))
    with tier().attempts.attempt(f"batch {key}") as attempt:
        attempt.see(asked.model_dump_json())
        if attempt.images is None:
            _fill(asked, attempt.batch, attempt.identity)
            attempt.finish([])
        else:
            attempt.compare()
            if tier().store.batch_created(attempt.batch) is None:
                raise Problem(410, "the batch of this request was deleted in the meantime: use a new Idempotency-Key")
        return _opened(asked, attempt.batch)


def _fill(asked: BatchRequest, batch: str, identity: Callable[[int], str] | None) -> str:
    now = time.time()
    if asked.keys is not None:
        tier().references.enter_keys(batch, asked.keys, now, identity)
    elif asked.prefix is None:
        tier().store.add_batch(batch, now)
    elif not tier().references.enter_prefix(batch, asked.prefix, now):
        raise Problem(404, f"there is no object under the prefix {asked.prefix[:200]!r}: check how it is written")
    return batch


def _opened(asked: BatchRequest, batch: str) -> Response:
    store = tier().store
    counts, filling = store.counts(batch).as_json(), store.filling(batch)
    response = jsonify(batch=batch, **addresses(batch), counts=counts, filling=filling)
    response.status_code = 201 if asked.keys is None and asked.prefix is None else 202
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
        raise no_batch(batch)
    try:
        gone = tier().batches.purge()
    except (BotoCoreError, ClientError, NotDeletedError) as error:
        current_app.logger.warning("the objects of batch %s are deleted later: %s", batch, error)
        gone = False
    response = Response(status=204 if gone else 202)
    del response.headers["Content-Type"]
    return response


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
    mark = _MARK.fullmatch(given)
    if mark is None:
        raise Problem(400, f"after must be as the address in `next` has it, not {given[:80]!r}")
    return float(mark[1]), mark[2]
