"""The pages for people: upload at GET /, and a batch at its permanent address."""

from flask import Blueprint, Response, jsonify, make_response, render_template, request

from novaburst.error_codes import REMEDIES, ErrorCode
from web_tier.health import state_of_affairs
from web_tier.problems import Problem
from web_tier.tier import tier

blueprint = Blueprint("pages", __name__, template_folder="templates", static_folder="static", static_url_path="/static")

# Nothing is fetched from elsewhere, nothing runs inline; previews are blobs of the browser's own.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@blueprint.get("/")
def home() -> Response:
    """The upload page for a person, the status for a program that asks for JSON or plain text."""
    kind = request.accept_mimetypes.best_match(("text/html", "application/json", "text/plain")) or "text/html"
    if kind == "text/html":
        response = _page(None)
    elif kind == "application/json":
        response = jsonify(state_of_affairs())
    else:
        response = make_response(_status_text())
        response.mimetype = "text/plain"
    response.vary.add("Accept")
    return response


@blueprint.get("/batches/<batch>")
def batch(batch: str) -> Response:
    """A batch's own page."""
    if tier().store.batch_created(batch) is None:
        raise Problem(404, "There is no such batch, or it has expired. Check the address, or start a new batch.")
    return _page(batch)


def _page(batch: str | None) -> Response:
    settings = tier().settings
    response = make_response(
        render_template(
            "page.html",
            batch=batch,
            max_bytes=settings.max_image_bytes,
            limit=f"{settings.max_image_bytes / 2**20:.3g} MB",
            too_large=REMEDIES[ErrorCode.TOO_LARGE],
        )
    )
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
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
