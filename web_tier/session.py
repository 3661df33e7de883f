"""POST /api/v1/session and .../session/end: a person's browser gives a token once, and gives it up."""

import json
import logging
import re

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from web_tier import access, sign_in
from web_tier.gate import refused_token

blueprint = Blueprint("session", __name__)
audit = logging.getLogger("web_tier.audit")

# A form of a token and the id of a batch.
_MAX_BODY_BYTES = 4096
# The form of a batch's id: with anything else the way on would lead elsewhere.
_IDENTITY = re.compile(r"[A-Za-z0-9_-]{1,64}")


@blueprint.post("/api/v1/session")
def begin() -> BaseResponse:
    """Keep the form's token in a cookie, if it is good, and lead on to the form's batch."""
    request.max_content_length = _MAX_BODY_BYTES
    text, batch = request.form.get("token", "").strip(), request.form.get("batch")
    if not access.needed():
        return _onward(batch)
    token = access.find(text) if text else None
    about = {"action": "sign in", "remote": request.remote_addr, "token": token.name if token else None}
    audit.log(logging.INFO if token else logging.WARNING, "%s", json.dumps(about))
    if token is None:
        return sign_in.page(batch, wrong=True, status=401, headers=refused_token())
    response = _onward(batch)
    sign_in.keep(response, text, token)
    return response


@blueprint.post("/api/v1/session/end")
def end() -> BaseResponse:
    """Forget the token."""
    response = _onward(None)
    sign_in.forget(response)
    return response


def _onward(batch: str | None) -> BaseResponse:
    known = batch is not None and _IDENTITY.fullmatch(batch)
    return redirect(url_for("pages.batch", batch=batch) if known else url_for("pages.home"), 303)
