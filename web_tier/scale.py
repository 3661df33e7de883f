"""POST /api/v1/scale: a person sets the fleet in motion. Every request, refused or not, leaves one line in the log."""

import json
import logging
import re
from typing import Annotated, Any

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field

from novaburst.contract import new_id
from web_tier.bearer import authorise
from web_tier.bodies import json_body
from web_tier.evaluations import Evaluation
from web_tier.problems import Problem
from web_tier.scaling import Evaluated, ScalingError
from web_tier.tier import tier

blueprint = Blueprint("scale", __name__)
audit = logging.getLogger("web_tier.audit")

_MAX_BODY_BYTES = 4096
_MAX_PIECES = 100
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class ScaleRequest(BaseModel):
    """What a person can ask for."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    # A minimum for this once; the maximum clamps it.
    workers: Annotated[int, Field(ge=0)] = 0
    # Only say what would be done.
    dry_run: bool = False


@blueprint.post("/api/v1/scale")
def scale() -> Response:
    """Evaluate now, by the Lambda or else by this process, and say which."""
    entry: dict[str, Any] = {
        "action": "scale",
        "request": _request_id(),
        "remote": request.remote_addr,
        # As claimed: only the proxy's own part of it can be believed.
        "forwarded": request.headers.get("X-Forwarded-For", "")[:200] or None,
    }
    try:
        entry["token"] = authorise(request.headers.get("Authorization"), tier().settings.scale_token_sha256)
        asked = json_body(ScaleRequest, _MAX_BODY_BYTES, _MAX_PIECES)
        entry["asked"] = asked.model_dump()
        evaluated = _ask(asked)
    except Exception as error:
        audit.warning("%s", json.dumps(entry | {"refused": getattr(error, "status", None), "why": str(error)}))
        raise
    done = Evaluation.of(evaluated)
    came = {"via": done.via, "want": done.want, "have": done.have, "did": done.did}
    audit.info("%s", json.dumps(entry | came))
    if not asked.dry_run:
        tier().evaluations.add(done)
        tier().fleet.forget()
    response = jsonify(
        request=entry["request"],
        via=evaluated.via,
        lambda_failure=evaluated.lambda_failure,
        asked=entry["asked"],
        **evaluated.report,
    )
    response.headers["X-Request-Id"] = entry["request"]
    response.headers["Cache-Control"] = "no-store"
    return response


def _ask(asked: ScaleRequest) -> Evaluated:
    try:
        return tier().scaling.ask(asked.workers, dry_run=asked.dry_run)
    except ScalingError as error:
        raise Problem(503, str(error)) from error


def _request_id() -> str:
    """The proxy's own id of this request, when it gives one, so that the two logs can be read together."""
    given = request.headers.get("X-Request-Id", "")
    return given if _REQUEST_ID.fullmatch(given) else new_id()
