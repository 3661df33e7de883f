"""A batch's results as a file: written page by page while it is read, so that any batch fits into memory."""

import csv
import io
import json
from collections.abc import Iterator, Mapping

from flask import Blueprint, Response, url_for

from web_tier.existing import batch_created
from web_tier.images import Image, as_json, moment, outcome
from web_tier.store import Store
from web_tier.tier import tier

blueprint = Blueprint("downloads", __name__)

_COLUMNS = ("id", "name", "state", "label", "score", "error", "detail", "received", "answered")
# A spreadsheet takes a cell that starts like this for a formula; a quote in front makes it text (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# The file is for people first: without this mark Excel shows names of other scripts as rubbish. Programs read it as
# `utf-8-sig`.
_BYTE_ORDER_MARK = "\ufeff"


@blueprint.get("/api/v1/batches/<batch>/results.csv")
def as_csv(batch: str) -> Response:
    """A row an image, in the order of arrival: UTF-8 with a byte order mark, lines ended by CR LF (RFC 4180)."""
    batch_created(batch)
    return _file(batch, "csv", "text/csv", _rows(tier().store, batch))


@blueprint.get("/api/v1/batches/<batch>/results.json")
def as_json_file(batch: str) -> Response:
    """The whole batch as one JSON object, with each image as the other addresses show it."""
    head = {"batch": batch, "page": url_for("pages.batch", batch=batch), "created": moment(batch_created(batch))}
    return _file(batch, "json", "application/json", _object(tier().store, batch, head))


def _file(batch: str, kind: str, media_type: str, content: Iterator[str]) -> Response:
    response = Response(content, mimetype=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="novaburst-{batch}.{kind}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _rows(store: Store, batch: str) -> Iterator[str]:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\r\n")
    yield _BYTE_ORDER_MARK
    rows.writerow(_COLUMNS)
    for image in store.all_of(batch):
        rows.writerow(map(_cell, _cells(image)))
        if text.tell() > 32_768:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _cells(image: Image) -> tuple[object, ...]:
    view = as_json(image)
    failure = view["error"] or {"code": "", "detail": ""}
    about = (image.id, image.name, outcome(image), view["label"], view["score"], failure["code"], failure["detail"])
    return (*about, view["received"], view["answered"])


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _object(store: Store, batch: str, head: Mapping[str, object]) -> Iterator[str]:
    yield json.dumps({**head, "counts": store.counts(batch).as_json()}, indent=1)[:-2] + ',\n "images": ['
    before = "\n  "
    for image in store.all_of(batch):
        yield before + json.dumps(as_json(image), ensure_ascii=False)
        before = ",\n  "
    yield "\n ]\n}\n"
