"""GET /api/v1/batches/<id>/events: a batch as it changes, as server-sent events.

Each image comes as an `image` event, whenever it changes; then `counts`, when they changed; and `end` once no image is
pending, or the batch is deleted. A client that lost the connection names the last revision it saw in `Last-Event-ID`,
as browsers do by themselves, and goes on from there. Whoever gets no stream polls `GET /api/v1/batches/<id>?since=`.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from flask import Blueprint, Response, request

from web_tier.caller import UNSEEN, Caller
from web_tier.existing import batch_created
from web_tier.images import Image, as_json
from web_tier.leaving import LEAVING
from web_tier.notifier import Notifier
from web_tier.problems import Problem
from web_tier.revisions import revision
from web_tier.store import Store
from web_tier.tier import tier

blueprint = Blueprint("events", __name__)

# Between two signs of life, in seconds: proxies and browsers take a silent connection for a dead one.
_HEARTBEAT_SECONDS = 15.0
# The shortest pause between two looks at the store; a look that took long is followed by a longer one.
_PAUSE_SECONDS = 0.2
_PAUSE_PER_LOOK = 4
# Images read from the store at once.
_AT_ONCE = 200
_RETRY_AFTER_SECONDS = "5"
# After how many milliseconds a browser connects again.
_RECONNECT = "retry: 2000\n\n"
_SIGN_OF_LIFE = ": still here\n\n"


@blueprint.get("/api/v1/batches/<batch>/events")
def events(batch: str) -> Response:
    """The stream of a batch's changes after `Last-Event-ID`, or `?since=`, or from its beginning."""
    parts = tier()
    batch_created(batch)
    since = revision(request.args.get("since", "0"))
    if (last := request.headers.get("Last-Event-ID")) is not None:
        since = revision(last)
    response = Response(mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    # nginx would collect the events until a buffer is full.
    response.headers["X-Accel-Buffering"] = "no"
    if request.method == "HEAD":
        # Without a body nothing would tell the end of the stream, which holds a place until then.
        return response
    if not parts.streams.acquire(blocking=False):
        raise Problem(
            503,
            "as many streams are open as this server holds: ask GET /api/v1/batches/<id>?since=<revision> instead",
            headers={"Retry-After": _RETRY_AFTER_SECONDS},
        )
    response.response = changes(parts.store, parts.notifier, batch, since, Caller(request.environ))
    response.call_on_close(parts.streams.release)
    return response


def changes(
    store: Store,
    notifier: Notifier,
    batch: str,
    since: int,
    caller: Caller = UNSEEN,
    *,
    heartbeat_seconds: float = _HEARTBEAT_SECONDS,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[str]:
    """The text of the stream, until the batch is answered or deleted, its reader gone, or the process about to end."""
    yield _RECONNECT
    with notifier.listening() as bell:
        told = None
        while not (LEAVING.is_set() or caller.gone()):
            if not caller.wait(bell.wait, heartbeat_seconds):
                yield _SIGN_OF_LIFE
                continue
            bell.clear()
            began = time.monotonic()
            if store.batch_created(batch) is None:
                yield _event("end", {"reason": "deleted"})
                return
            # Asked first: if nothing has changed after that, it is of one moment with the images that were told.
            complete = not store.filling(batch)
            counts = store.counts(batch)
            news = store.changed(batch, since, _AT_ONCE)
            yield from _images(news.images)
            since = news.revision
            if news.images:
                bell.set()
            elif counts != told:
                told = counts
                yield _event("counts", counts.as_json())
            if complete and counts.total and not counts.pending and not news.images:
                yield _event("end", {"reason": "answered"})
                return
            if not news.more:
                pause(max(_PAUSE_SECONDS, _PAUSE_PER_LOOK * (time.monotonic() - began)))


def _images(images: Sequence[Image]) -> Iterator[str]:
    for number, image in enumerate(images, 1):
        # One transaction changes several images; whoever goes on after its revision must have seen all of them.
        last = number == len(images) or images[number].revision != image.revision
        yield _event("image", as_json(image), image.revision if last else None)


def _event(kind: str, data: dict[str, Any], identity: int | None = None) -> str:
    name = "" if identity is None else f"id: {identity}\n"
    return f"{name}event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
