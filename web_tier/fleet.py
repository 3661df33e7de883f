"""GET /api/v1/fleet: the instances, the limits, what the scaling decision would be now, with its reasons, how fast
images are answered, what the burst has cost so far, and how all of this went over time.

It needs no token, like the status: it changes nothing, and an instance's id, state and age open nothing without the
account's keys. What AWS says in its errors (account numbers, names of users) is not passed on.
"""

import time
from dataclasses import asdict, fields, is_dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify

from scaling_lambda.cost import CURRENCY, Prices
from scaling_lambda.fleet import Instance, State
from scaling_lambda.observe import ObservationError
from web_tier.pace import pace
from web_tier.problems import Problem
from web_tier.quantities import quantity
from web_tier.tier import tier

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

blueprint = Blueprint("fleet", __name__)

# How much of the history an answer holds without being asked (20 KB of a busy fleet, rather than 120), and at most.
HISTORY_MINUTES = 5
MOST_HISTORY_MINUTES = 720


@blueprint.get("/api/v1/fleet")
def fleet() -> Response:
    """The fleet as it was seen at most two seconds ago, with the last `?minutes=` of its history."""
    parts = tier()
    since = time.time() - 60 * quantity("minutes", "minutes", default=HISTORY_MINUTES, most=MOST_HISTORY_MINUTES)
    try:
        observation, plan = parts.fleet()
    except ObservationError as error:
        raise Problem(
            503, f"the fleet cannot be described just now: {error}; ask again in a moment, and see GET /readyz"
        ) from error
    counts = observation.counts
    latest = parts.history.latest()
    response = jsonify(
        at=observation.at.isoformat(timespec="milliseconds"),
        counts={**asdict(counts), "backlog": counts.backlog},
        instances=[_instance(one) for one in observation.instances if one.state is not State.TERMINATED],
        limits=_shown(parts.scaling_settings.limits),
        plan=asdict(plan),
        evaluations=[asdict(evaluation) for evaluation in parts.evaluations.latest()],
        pace=asdict(pace(parts.store, time.time())),
        cost={"so_far": latest.spent if latest else None, "currency": CURRENCY},
        history={
            "samples": [sample.as_json() for sample in parts.history.samples(since)],
            "decisions": [decision.as_json() for decision in parts.history.decisions(since)],
        },
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _instance(instance: Instance) -> dict[str, Any]:
    mark = instance.mark
    return {
        "id": instance.id,
        "state": instance.state,
        "launched": instance.launched.isoformat(),
        "mark": None if mark is None else {"fault": mark.fault, "since": mark.since.isoformat()},
        "keep": instance.keep,
        "leaving": instance.leaving,
    }


def _shown(limits: "DataclassInstance") -> dict[str, Any]:
    """The limits as JSON has them: a length of time in seconds, under a name that says so."""
    shown: dict[str, Any] = {}
    for field in fields(limits):
        value = getattr(limits, field.name)
        if isinstance(value, timedelta):
            shown[f"{field.name}_seconds"] = value.total_seconds()
        # What an hour costs stands in the plan; neither the table of all prices nor what is asked for once is a limit.
        elif not isinstance(value, Prices) and field.name != "asked":
            shown[field.name] = _shown(value) if is_dataclass(value) and not isinstance(value, type) else value
    return shown
