"""What an evaluation tells CloudWatch: a line in the embedded metric format, which takes no call and no permission."""

from collections.abc import Callable, Mapping
from datetime import datetime

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from scaling_lambda.evaluate import Report
from scaling_lambda.fleet import State

NAMESPACE = "Novaburst"
COST = "CostPerHour"
BRAKED = "Braked"
SECONDS_TO_LAUNCH = "SecondsToLaunch"
# Written at every evaluation.
COUNTS: Mapping[str, Callable[[Report], int]] = {
    "Backlog": lambda report: report.observation.counts.backlog,
    "Desired": lambda report: report.plan.want,
    "Pending": lambda report: report.observation.count(State.PENDING),
    "Running": lambda report: report.observation.count(State.RUNNING),
    "Leaving": lambda report: report.plan.leaving,
    "StandingBy": lambda report: report.observation.count(State.STOPPED),
    "Launches": lambda report: len(report.outcome.launched),
    "Starts": lambda report: len(report.outcome.started),
    "Terminations": lambda report: len(report.outcome.terminated),
    "SentAway": lambda report: len(report.outcome.sent_away),
    "CapacityErrors": lambda report: len(report.outcome.short),
    "Failures": lambda report: len(report.outcome.failures),
}


def emit(report: Report, fleet: str, woken_at: datetime | None, now: datetime) -> None:
    """Write an evaluation's metrics, with the dimension `fleet`, to standard output.

    SecondsToLaunch runs from the earliest wake-up of the invocation, which the web tier sends as soon as it has queued
    work, to the end of the evaluation that launched or started something: never less than the wait for the launch call.
    Only a wake-up knows its moment, so the other triggers leave it out. They come later by their own intervals.

    Args:
        report: the evaluation.
        fleet: the deployment's prefix.
        woken_at: when the earliest wake-up was sent; None for another trigger.
        now: when the evaluation had done its work.
    """
    # Its own values for each evaluation: the schedule makes ten in one invocation, and a failed one must leave nothing
    # behind for the next. An empty service adds no dimension, whatever POWERTOOLS_SERVICE_NAME says.
    metrics = EphemeralMetrics(namespace=NAMESPACE, service="")
    metrics.add_dimension("fleet", fleet)
    for name, count in COUNTS.items():
        metrics.add_metric(name, MetricUnit.Count, count(report))
    if report.plan.cost_per_hour.active is not None:
        metrics.add_metric(COST, MetricUnit.NoUnit, report.plan.cost_per_hour.active)
    # Only while there is something to tell: metrics are paid for by the hour in which they are written.
    if report.plan.braked:
        metrics.add_metric(BRAKED, MetricUnit.Count, report.plan.braked)
    if woken_at is not None and (report.outcome.launched or report.outcome.started):
        metrics.add_metric(SECONDS_TO_LAUNCH, MetricUnit.Seconds, max(0.0, (now - woken_at).total_seconds()))
    metrics.flush_metrics()
