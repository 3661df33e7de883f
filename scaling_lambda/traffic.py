"""The request queue's last minutes, as CloudWatch has them: what came and went, and what waited or was in flight."""

import logging
import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from scaling_lambda.brake import LONG
from scaling_lambda.departure import LATEST, MINUTE
from scaling_lambda.fleet import Minute

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient

log = logging.getLogger(__name__)

_SERIES = {
    "sent": ("NumberOfMessagesSent", "Sum"),
    "visible": ("ApproximateNumberOfMessagesVisible", "Maximum"),
    "in_flight": ("ApproximateNumberOfMessagesNotVisible", "Maximum"),
    "deleted": ("NumberOfMessagesDeleted", "Sum"),
}


class Traffic:
    """Asks CloudWatch about one queue, at most once a minute: its figures are no fresher, and each call is paid for."""

    def __init__(self, cloudwatch: "CloudWatchClient", queue: str) -> None:
        self._cloudwatch = cloudwatch
        self._queue = queue
        self._asked_at: datetime | None = None
        self._minutes: tuple[Minute, ...] = ()

    def minutes(self, now: datetime) -> tuple[Minute, ...]:
        """The last minutes of which all is known, in order; none where CloudWatch does not say, which is logged.

        What was deleted may be missing: the departures do without it.
        """
        if self._asked_at is None or now - self._asked_at >= MINUTE:
            self._asked_at = now
            try:
                self._minutes = self._ask(now)
            # An answer of another form must not keep the fleet from the rest of its evaluation.
            except (ClientError, BotoCoreError, KeyError, ValueError) as error:
                log.warning("%s: no metrics, so no worker is sent away and no launch braked: %r", self._queue, error)
                self._minutes = ()
        return self._minutes

    def _ask(self, now: datetime) -> tuple[Minute, ...]:
        answer = self._cloudwatch.get_metric_data(
            MetricDataQueries=[self._query(series, *what) for series, what in _SERIES.items()],
            # Metrics are paid for, not their minutes.
            StartTime=_floor(now) - LONG - LATEST,
            EndTime=now,
            ScanBy="TimestampAscending",
        )
        series = {
            found["Id"]: dict(zip(found["Timestamps"], found["Values"], strict=True))
            for found in answer["MetricDataResults"]
        }
        sent, visible, in_flight, deleted = (series.get(name, {}) for name in _SERIES)
        return tuple(
            Minute(
                start,
                math.ceil(sent[start]),
                math.ceil(visible[start] + in_flight[start]),
                math.ceil(deleted[start]) if start in deleted else None,
            )
            for start in sorted(sent.keys() & visible.keys() & in_flight.keys())
        )

    def _query(self, series: str, metric: str, statistic: str) -> Any:
        return {
            "Id": series,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SQS",
                    "MetricName": metric,
                    "Dimensions": [{"Name": "QueueName", "Value": self._queue}],
                },
                "Period": int(MINUTE.total_seconds()),
                "Stat": statistic,
            },
        }


def _floor(moment: datetime) -> datetime:
    return moment - timedelta(seconds=moment.second, microseconds=moment.microsecond)
