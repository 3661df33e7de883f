"""The pages for people: upload at GET /, and a batch at its permanent address."""

import math
from itertools import islice
from typing import Any

from flask import Blueprint, Response, jsonify, make_response, render_template, request

from novaburst.error_codes import REMEDIES, ErrorCode
from web_tier import access, sign_in
from web_tier.browser_policy import OWN_SCRIPTS
from web_tier.health import state_of_affairs
from web_tier.images import as_json, moment
from web_tier.problems import Problem
from web_tier.tier import tier

blueprint = Blueprint("pages", __name__, template_folder="templates", static_folder="static", static_url_path="/static")

# Images on one page; list.js shows as many.
_PAGE = 60


@blueprint.get("/")
def home() -> Response:
    """The upload page for a person, the status for a program that asks for JSON or plain text."""
    kind = request.accept_mimetypes.best_match(("text/html", "application/json", "text/plain")) or "text/html"
    if kind == "text/html":
        response = _page(None) if access.granted() else sign_in.page(None)
    elif kind == "application/json":
        response = jsonify(state_of_affairs())
    else:
        response = make_response(_status_text())
        response.mimetype = "text/plain"
    response.vary.add("Accept")
    return response


@blueprint.get("/batches/<batch>")
def batch(batch: str) -> Response:
    """A batch's own page, with its images as they stand; `?page=` is for browsers without scripts."""
    store = tier().store
    created = store.batch_created(batch)
    if created is None:
        raise Problem(404, "There is no such batch, or it has expired. Check the address, or start a new batch.")
    counts = store.counts(batch)
    last_page = max(1, -(-counts.total // _PAGE))
    number = min(max(request.args.get("page", 1, int), 1), last_page)
    images = islice(store.all_of(batch, _PAGE), (number - 1) * _PAGE, number * _PAGE)
    shown = {"counts": counts, "images": [as_json(image) for image in images], "number": number, "last_page": last_page}
    return _page(batch, created=moment(created), **shown)


@blueprint.app_template_filter("percent")
def percent(score: float) -> str:
    """A score as words.js writes it."""
    return "<1 %" if 0 < score < 0.01 else f"{math.floor(100 * score + 0.5)} %"


def _page(batch: str | None, **shown: Any) -> Response:
    settings = tier().settings
    response = make_response(
        render_template(
            "page.html",
            batch=batch,
            max_bytes=settings.max_image_bytes,
            limit=f"{settings.max_image_bytes / 2**20:.3g} MB",
            too_large=REMEDIES[ErrorCode.TOO_LARGE],
            days=settings.retention_days,
            signed_in=access.needed() and sign_in.cookie_token() is not None,
            **shown,
        )
    )
    response.headers.update(OWN_SCRIPTS)
    return response


def _status_text() -> str:
    affairs = state_of_affairs()
    images = affairs["images"]
    lines = [f"novaburst: {affairs['status']}"]
    if "reason" in affairs:
        lines.append(affairs["reason"])
    for name, depth in (affairs["queues"] or {}).items():
        lines.append(f"{name} queue: {depth['visible']} visible, {depth['in_flight']} in flight")
    lines.append(f"images: {images['done']} done, {images['failed']} failed, {images['pending']} pending")
    return "\n".join(lines) + "\n"
