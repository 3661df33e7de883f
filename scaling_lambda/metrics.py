"""What an evaluation tells CloudWatch: a line in the embedded metric format, which takes no call and no permission."""

from datetime import datetime

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from scaling_lambda.evaluate import Report
from scaling_lambda.fleet import State

NAMESPACE = "Novaburst"


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
    states = [instance.state for instance in report.observation.instances]
    outcome = report.outcome
    counts = {
        "Backlog": report.observation.counts.backlog,
        "Desired": report.plan.want,
        "Pending": states.count(State.PENDING),
        "Running": states.count(State.RUNNING),
        "Launches": len(outcome.launched),
        "Terminations": len(outcome.terminated),
        "CapacityErrors": len(outcome.short),
        "Failures": len(outcome.failures),
    }
    for name, value in counts.items():
        metrics.add_metric(name, MetricUnit.Count, value)
    if report.plan.cost_per_hour.active is not None:
        metrics.add_metric("CostPerHour", MetricUnit.NoUnit, report.plan.cost_per_hour.active)
    if woken_at is not None and outcome.launched:
        metrics.add_metric("SecondsToLaunch", MetricUnit.Seconds, max(0.0, (now - woken_at).total_seconds()))
    metrics.flush_metrics()
