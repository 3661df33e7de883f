"""GET /api/v1/results/<id> and GET /api/v1/batches/<id>, the latter as JSON or CSV."""

import csv
import io
from collections.abc import Iterable

from flask import Blueprint, Response, jsonify, request, url_for

from web_tier.images import Image, as_json, moment, outcome
from web_tier.problems import Problem
from web_tier.tier import tier

blueprint = Blueprint("results", __name__)

_COLUMNS = ("id", "name", "state", "label", "score", "error", "detail", "received", "answered")
# A spreadsheet takes a cell that starts like this for a formula; a quote in front makes it text (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@blueprint.get("/api/v1/results/<image_id>")
def result(image_id: str) -> Response:
    """One image: its label, its error, or that it is pending."""
    image = tier().answers.find(image_id)
    if image is None:
        raise Problem(404, "there is no image of this id, or its result has expired")
    response = jsonify(as_json(image))
    if image.pending:
        response.headers["Retry-After"] = "1"
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/api/v1/batches/<batch>")
def batch(batch: str) -> Response:
    """A batch with its counts and images; `?since=REVISION` leaves out those that have not changed after it."""
    store = tier().store
    created = store.batch_created(batch)
    if created is None:
        raise Problem(404, "there is no such batch, or it has expired")
    since = _since()
    images = store.images_of(batch, since)
    if _wants_csv():
        response = Response(_csv(images), mimetype="text/csv")
        response.headers["Content-Disposition"] = f'attachment; filename="novaburst-{batch}.csv"'
    else:
        response = jsonify(
            batch=batch,
            page=url_for("pages.batch", batch=batch),
            created=moment(created),
            revision=max((image.revision for image in images), default=since),
            counts=store.counts(batch).as_json(),
            images=[as_json(image) for image in images],
        )
        if request.args.get("format") == "json":
            response.headers["Content-Disposition"] = f'attachment; filename="novaburst-{batch}.json"'
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Accept")
    return response


def _since() -> int:
    given = request.args.get("since", "0")
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise Problem(400, f"since must be a revision that this address has given, not {given[:40]!r}")
    return int(given)


def _wants_csv() -> bool:
    chosen = request.args.get("format")
    if chosen not in {None, "csv", "json"}:
        raise Problem(400, "format must be json or csv")
    preferred = request.accept_mimetypes.best_match(("application/json", "text/csv"))
    return chosen == "csv" or (chosen is None and preferred == "text/csv")


def _csv(images: Iterable[Image]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(_COLUMNS)
    for image in images:
        view = as_json(image)
        failure = view["error"] or {"code": "", "detail": ""}
        cells = (image.id, image.name, outcome(image), view["label"], view["score"], failure["code"], failure["detail"])
        rows.writerow(map(_cell, (*cells, view["received"], view["answered"])))
    return text.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
