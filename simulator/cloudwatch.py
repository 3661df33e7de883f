"""Enough of CloudWatch's API for the Lambda's own code: the queue's metrics by the minute, and late."""

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from simulator.ec2 import START
from simulator.queue import Queue

_MINUTE = 60.0
_METRICS = {
    "NumberOfMessagesSent": lambda minute: minute.sent,
    "ApproximateNumberOfMessagesVisible": lambda minute: minute.visible,
    "ApproximateNumberOfMessagesNotVisible": lambda minute: minute.in_flight,
    "NumberOfMessagesDeleted": lambda minute: minute.deleted,
}


class CloudWatch:
    """One queue's metrics.

    Args:
        clock: the present, in seconds from the model's start.
        queue: what is measured.
        lag: drawn for each metric of a minute: seconds from its end until CloudWatch has it.
    """

    def __init__(self, clock: Callable[[], float], queue: Queue, lag: Callable[[], float]) -> None:
        self._clock = clock
        self._queue = queue
        self._lag = lag
        self._lags: dict[tuple[str, int], float] = {}

    def get_metric_data(self, **request: Any) -> Any:
        """GetMetricData for metrics by the minute."""
        first = math.ceil((request["StartTime"] - START).total_seconds() / _MINUTE)
        results = []
        for query in request["MetricDataQueries"]:
            metric = query["MetricStat"]["Metric"]["MetricName"]
            known = {
                START + timedelta(seconds=number * _MINUTE): float(_METRICS[metric](minute))
                for number, minute in self._queue.minutes(self._clock()).items()
                if number >= first and self._published(metric, number)
            }
            results.append({"Id": query["Id"], "Timestamps": list(known), "Values": list(known.values())})
        return {"MetricDataResults": results}

    def _published(self, metric: str, number: int) -> bool:
        lag = self._lags.setdefault((metric, number), self._lag())
        return (number + 1) * _MINUTE + lag <= self._clock()
