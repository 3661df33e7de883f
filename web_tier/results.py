"""GET /api/v1/results/<id> and GET /api/v1/batches/<id>: what is known of an image, and of a batch."""

from flask import Blueprint, Response, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from web_tier.existing import batch_created
from web_tier.images import as_json, moment
from web_tier.problems import Problem
from web_tier.revisions import revision
from web_tier.tier import tier

blueprint = Blueprint("results", __name__)

# Images in one answer: about a megabyte.
_AT_ONCE = 1000
_FILES = {"csv": "downloads.as_csv", "json": "downloads.as_json_file"}


@blueprint.get("/api/v1/results/<image_id>")
def result(image_id: str) -> Response:
    """One image: its label, its error, or that it is pending."""
    image = tier().answers.find(image_id)
    if image is None:
        raise Problem(404, f"there is no image {image_id[:80]!r}, or its result has expired: upload it again")
    response = jsonify(as_json(image))
    if image.pending:
        response.headers["Retry-After"] = "1"
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/api/v1/batches/<batch>")
def batch(batch: str) -> BaseResponse:
    """A batch with its counts and images; `?since=REVISION` leaves out those that have not changed after it.

    An answer holds about a thousand images; as long as it says `more`, the rest follows after its `revision`.
    """
    store, created = tier().store, batch_created(batch)
    if file := _file_wanted():
        return redirect(url_for(file, batch=batch))
    # Asked first: a batch that is complete here and has nothing pending below has got all its answers.
    filling = store.filling(batch)
    counts = store.counts(batch)
    news = store.changed(batch, revision(request.args.get("since", "0")), _AT_ONCE)
    response = jsonify(
        batch=batch,
        page=url_for("pages.batch", batch=batch),
        created=moment(created),
        revision=news.revision,
        more=news.more,
        filling=filling,
        counts=counts.as_json(),
        images=[as_json(image) for image in sorted(news.images, key=lambda image: image.id)],
    )
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Accept")
    return response


def _file_wanted() -> str | None:
    """The endpoint of the file that the client asks for with `?format=` or `Accept`, rather than for this view."""
    chosen = request.args.get("format")
    if chosen is not None and chosen not in _FILES:
        raise Problem(400, f"format must be json or csv, not {chosen[:40]!r}")
    if chosen is None and request.accept_mimetypes.best_match(("application/json", "text/csv")) == "text/csv":
        chosen = "csv"
    return None if chosen is None else _FILES[chosen]
