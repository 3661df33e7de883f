"""The Lambda functions: an alarm, the schedule, a wake-up or a person, each an occasion for the same evaluation."""

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config
from chalice.app import Blueprint, CloudWatchEvent, Rate, SNSEvent, SQSEvent

from scaling_lambda.apply import Outcome
from scaling_lambda.clock import SystemClock
from scaling_lambda.evaluate import Evaluator, Report
from scaling_lambda.fleet import VIEW_SETTLES
from scaling_lambda.metrics import emit
from scaling_lambda.settings import Settings
from scaling_lambda.wake import first_sent
from scaling_lambda.watch import SOON_SECONDS, has_work, is_missing_work, is_unsettled, watch

# Read at import: Chalice needs the names to deploy, and a wrong setting must stop the deployment.
settings = Settings.load()
clock = SystemClock()
log = Logger(service="novaburst-scaling", serialize_stacktrace=False)
blueprint = Blueprint(__name__)

Handler = Callable[[Callable[..., Any]], Callable[..., Any]]

# Retries back off within the function's 60 s. RunInstances may take ten seconds; its client token makes it repeatable.
_CLIENTS = Config(
    connect_timeout=3, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4}, tcp_keepalive=True
)
# An evaluation goes on without metrics, so it does not wait long for them: a launch may come after them.
_METRICS = _CLIENTS.merge(
    Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})
)


@cache
def evaluator() -> Evaluator:
    """The evaluator with its clients, made on the first event: a deployment imports this module without credentials."""
    sqs, ec2 = boto3.client("sqs", config=_CLIENTS), boto3.client("ec2", config=_CLIENTS)
    return Evaluator(settings, sqs, ec2, boto3.client("cloudwatch", config=_METRICS), clock)


def _evaluate(trigger: str, at_least: int = 0, woken_at: datetime | None = None) -> Report:
    try:
        report = evaluator().evaluate(at_least)
    except Exception:
        # Raised again, so that Lambda counts it; the next trigger looks afresh.
        log.exception("evaluation failed", trigger=trigger, fleet=settings.prefix)
        raise
    # A failed item and the brake are worth a warning, a short capacity or a reached maximum is not.
    say = log.warning if report.outcome.failures or report.plan.braked else log.info
    say("evaluation", trigger=trigger, fleet=settings.prefix, **report.to_dict())
    emit(report, settings.prefix, woken_at, clock.now())
    return report


def _until_settled(evaluate: Callable[[], Report], again: Callable[[Report], bool] = is_unsettled) -> Report:
    """The last report: what another's launch kept this one from is not left to the next minute."""
    # One look comes after all has settled, however long the looks themselves take.
    settles = VIEW_SETTLES.total_seconds() + 2 * SOON_SECONDS
    return watch(evaluate, clock, again=again, for_seconds=settles, poll_seconds=SOON_SECONDS)[-1]


def _when(trigger: str, register: Handler) -> Handler:
    """Register the function as that trigger's, unless the trigger is switched off: then it is not even deployed."""
    return register if trigger in settings.triggers else lambda handler: handler


@_when("alarm", blueprint.on_sns_message(topic=settings.alarm_topic))
def on_alarm(event: SNSEvent) -> dict[str, Any]:
    """An alarm changed its state, or a person published to its topic."""
    return _until_settled(lambda: _evaluate("alarm")).to_dict()


@_when("schedule", blueprint.schedule(Rate(1, unit=Rate.MINUTES)))
def on_schedule(event: CloudWatchEvent) -> dict[str, Any]:
    """A minute has passed."""
    reports = watch(
        lambda: _evaluate("schedule"),
        clock,
        again=has_work,
        for_seconds=settings.watch_seconds,
        poll_seconds=settings.poll_seconds,
    )
    return reports[-1].to_dict()


# All wake-ups within one second of a burst make one invocation.
@_when(
    "wake",
    blueprint.on_sqs_message(queue=settings.wake_queue, batch_size=1000, maximum_batching_window_in_seconds=1),
)
def on_wake(event: SQSEvent) -> dict[str, Any]:
    """The web tier has queued work. What the messages say does not matter, only when the first was sent."""
    woken_at = first_sent(event.to_dict())
    return _until_settled(lambda: _evaluate("wake", woken_at=woken_at), is_missing_work).to_dict()


@blueprint.lambda_function()
def on_request(event: Any, context: object) -> dict[str, Any]:
    """A person asks: `{"workers": 3}` for at least so many now, `{"dry_run": true}` for the plan alone, `{}` to look.

    Raises:
        ValueError: the event is of another form; nothing was done.
    """
    known = isinstance(event, Mapping) and set(event) <= {"workers", "dry_run"}
    asked: Mapping[str, Any] = event if known else {}
    workers, dry_run = asked.get("workers", 0), asked.get("dry_run", False)
    # A "false" that is text must not launch anything, nor a true count as one worker.
    if not known or type(workers) is not int or workers < 0 or type(dry_run) is not bool:
        raise ValueError(f'the event must be like {{"workers": 3, "dry_run": true}}, each optional (got {event!r})')
    if dry_run:
        return Report(*evaluator().plan(workers), Outcome()).to_dict()
    return _evaluate("request", workers).to_dict()


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # Lambda gives a starting function a whole core, whatever its memory: the first event finds the clients made.
    evaluator()
