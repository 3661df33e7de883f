"""PURE: from an alarm's definition and the datapoints of its metrics to the alarm's state, by CloudWatch's rules.

The rules are those of the CloudWatch user guide: "Alarm evaluation" and "Configuring how CloudWatch alarms treat
missing data". Nothing here knows where datapoints come from or what a state change does.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from local_cloud.metric_math import ExpressionError, Series, evaluate
from local_cloud.metrics import MetricId

# CloudWatch looks at a few more periods than EvaluationPeriods; the user guide's examples have 5 for 3.
EXTRA_PERIODS = 2
_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


class AlarmState(StrEnum):
    """The three states of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True)
class Query:
    """One line of an alarm: a metric's statistic a period (seconds), or an expression over other lines' ids."""

    id: str
    returned: bool
    metric: MetricId | None = None
    period_seconds: int = 0
    statistic: str = ""
    expression: str | None = None


@dataclass(frozen=True)
class Definition:
    """What makes an alarm: one returned query, compared with a threshold, M of N periods, and the missing ones."""

    name: str
    comparison: str
    threshold: float
    evaluation_periods: int
    datapoints_to_alarm: int
    missing_data: str
    queries: tuple[Query, ...]

    @property
    def period_seconds(self) -> int:
        """The alarm's period: the longest of its metrics'."""
        return max((query.period_seconds for query in self.queries), default=0) or 60

    @property
    def evaluation_range(self) -> int:
        """How many of the latest periods are looked at."""
        return self.evaluation_periods + EXTRA_PERIODS


@dataclass(frozen=True)
class Verdict:
    """The state an alarm should be in, and the sentence that says why."""

    state: AlarmState
    reason: str


def watched_series(definition: Definition, metrics: Mapping[str, Series], times: Sequence[float]) -> dict[float, float]:
    """The datapoints that the threshold is compared with, at the period starts `times` (ascending).

    Args:
        definition: the alarm.
        metrics: for each query with a metric, by its id, the statistic of each period that has data.
        times: the starts of the periods of the evaluation range.

    Raises:
        ExpressionError: an expression that cannot be evaluated, or not exactly one returned query.
    """
    series: dict[str, Series] = dict(metrics)
    waiting = [query for query in definition.queries if query.expression is not None]
    # Expressions may use one another in any order; each round settles at least one, or none ever will.
    while waiting:
        failure: ExpressionError | None = None
        unsettled = []
        for query in waiting:
            try:
                series[query.id] = evaluate(query.expression or "", series, times)
            except ExpressionError as error:
                failure = error
                unsettled.append(query)
        if failure is not None and len(unsettled) == len(waiting):
            raise failure
        waiting = unsettled
    returned = [query for query in definition.queries if query.returned]
    if len(returned) != 1:
        raise ExpressionError(f"alarm {definition.name}: {len(returned)} queries return data; it must be one")
    return {time: series[returned[0].id][time] for time in times if time in series[returned[0].id]}


def judge(definition: Definition, points: Sequence[float | None], present: AlarmState) -> Verdict:
    """The state of an alarm.

    Args:
        definition: the alarm.
        points: the evaluation range's datapoints, oldest first; None is a missing one.
        present: its state now, which missing data may leave as it is.
    """
    compare, words = _COMPARISONS[definition.comparison]
    wanted, needed = definition.evaluation_periods, definition.datapoints_to_alarm
    breaching = [None if value is None else compare(value, definition.threshold) for value in points]
    real = [value for value in breaching if value is not None][-wanted:]
    missing = max(0, wanted - len(real))
    breaches = sum(real)
    shown = ", ".join(f"{value:g}" for value in [v for v in points if v is not None][-wanted:])
    reason = (
        f"Threshold Crossed: {breaches} of the last {wanted} datapoints [{shown}] "
        f"{'was' if breaches == 1 else 'were'} {words} the threshold ({definition.threshold:g})"
    )
    if definition.missing_data == "breaching":
        state = AlarmState.ALARM if breaches + missing >= needed else AlarmState.OK
        return Verdict(state, f"{reason}; {missing} missing counted as breaching")
    if breaches >= needed:
        return Verdict(AlarmState.ALARM, reason)
    if definition.missing_data == "notBreaching" or missing == 0 or breaches < len(real):
        return Verdict(AlarmState.OK, reason)
    if definition.missing_data == "ignore":
        return Verdict(present, reason)
    if not real:
        return Verdict(AlarmState.INSUFFICIENT_DATA, f"Insufficient Data: {missing} datapoints were missing")
    # Nothing but breaches and gaps: a breach that is old enough counts as lasting until now.
    ages = [age for age, breach in enumerate(reversed(breaching[-wanted:]), start=1) if breach]
    return Verdict(AlarmState.ALARM if max(ages, default=0) >= needed else AlarmState.OK, reason)
