"""GET /healthz, /readyz and /api/v1/status: whether this process lives, whether it can work, and what is going on."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from flask import Blueprint, Response, jsonify

from novaburst.queues import QueueAttributesError
from scaling_lambda.fleet import State
from scaling_lambda.observe import ObservationError
from web_tier.access import granted
from web_tier.images import failure_json, moment, outcome
from web_tier.problems import Problem
from web_tier.reachability import reason
from web_tier.readiness import State as Readiness
from web_tier.readiness import told
from web_tier.tier import tier
from web_tier.tokens import Scope

blueprint = Blueprint("health", __name__)

_RECENT = 10


@blueprint.get("/healthz")
def live() -> Response:
    """The process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def ready() -> Response:
    """Key, clock, store, buckets and queues are as the work needs them; else 503 with what is wrong and what to do."""
    checks = tier().readiness()
    failed = [check for check in checks if check.state is Readiness.FAILED]
    if failed:
        raise Problem(503, told(failed), checks=[asdict(check) for check in checks])
    response = jsonify(status="ready", checks=[asdict(check) for check in checks])
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/api/v1/status")
def status() -> Response:
    """The state of affairs."""
    response = jsonify(state_of_affairs())
    response.headers["Cache-Control"] = "no-store"
    return response


def state_of_affairs() -> dict[str, Any]:
    """Queues, instances by state, counts of images and the latest results; no addresses: only uploaders know those.

    The latest results are nobody's business but theirs who may see results.
    """
    parts = tier()
    affairs: dict[str, Any] = {"status": "ok", "prefix": parts.settings.prefix, "queues": None, "fleet": None}
    deployment = parts.deployment
    try:
        queues = {
            "request": deployment.request_queue,
            "response": deployment.response_queue,
            "dead_letter": deployment.dead_letter_queue,
        }
        affairs["queues"] = {
            name: {"visible": depth.visible, "in_flight": depth.in_flight, "delayed": depth.delayed}
            for name, depth in ((name, queue.depth()) for name, queue in queues.items())
        }
    except (BotoCoreError, ClientError, QueueAttributesError) as error:
        affairs |= {"status": "degraded", "reason": f"the queues cannot be reached: {reason(error)}"}
    try:
        # One that is leaving runs still, for some seconds, and takes no work.
        states = Counter("leaving" if one.leaving else one.state.value for one in parts.instances())
        affairs["fleet"] = {state: count for state, count in sorted(states.items()) if state != State.TERMINATED}
    except (BotoCoreError, ClientError, ObservationError) as error:
        affairs |= {"status": "degraded", "reason": f"the fleet cannot be described: {reason(error)}"}
    affairs["images"] = parts.store.counts().as_json()
    affairs["recent"] = _latest() if granted(Scope.RESULTS) else []
    return affairs


def _latest() -> list[dict[str, Any]]:
    """The latest results, with the names that their uploaders gave."""
    return [
        {
            "name": image.name,
            "state": outcome(image),
            "label": image.result.label if image.result else None,
            "score": image.result.score if image.result else None,
            "error": failure_json(image.failure),
            "answered": None if image.answered is None else moment(image.answered),
        }
        for image in tier().store.latest(_RECENT)
    ]
