"""Takes the AWS/SQS metrics from the queues and evaluates the alarms on them, once a minute, as CloudWatch does."""

import logging
import threading
import time
from collections import defaultdict

from local_cloud.alarm_evaluation import AlarmState, Definition, judge, watched_series
from local_cloud.backends import Backends, QueueDepths
from local_cloud.metric_math import ExpressionError
from local_cloud.metrics import MetricId, Statistics, fold, period_start

log = logging.getLogger(__name__)

# SQS publishes its metrics a minute at a time.
MINUTE_SECONDS = 60.0
_SAMPLES_A_MINUTE = 12
# How far back metrics are kept, in minutes; CloudWatch keeps them for 15 days.
_KEPT_MINUTES = 180


class Alarms:
    """Samples the queues, publishes a minute when it is over, and then gives every alarm the state it should have.

    Args:
        backends: where the queues and the alarms are.
        minute_seconds: how long a minute of metrics and alarm periods lasts; tests shorten it.
    """

    def __init__(self, backends: Backends, minute_seconds: float = MINUTE_SECONDS) -> None:
        self._backends = backends
        self._minute = minute_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alarms")
        self._samples: dict[MetricId, list[float]] = defaultdict(list)
        # By queue, how many had been sent to it and deleted from it at the latest sample.
        self._counted: dict[str, tuple[int, int]] = {}
        self._current = period_start(time.time(), minute_seconds)

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> None:
        """End, at the latest after the work at hand."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._minute / _SAMPLES_A_MINUTE):
            try:
                self.tick(time.time())
            except Exception:
                log.exception("metrics and alarms")

    def tick(self, now: float) -> None:
        """Take one sample; when a minute has ended, publish it and evaluate the alarms."""
        if (minute := period_start(now, self._minute)) > self._current:
            for metric, samples in self._samples.items():
                self._backends.publish_metric(metric, self._current, Statistics.of(samples), _unit(metric.name))
            self._backends.forget_metrics(before=now - _KEPT_MINUTES * self._minute)
            self._samples.clear()
            self._current = minute
            for definition, state in self._backends.alarms():
                self._evaluate(definition, state, now)
        for depths in self._backends.queue_depths(now):
            sent, deleted = self._counted.get(depths.name, (0, 0))
            self._counted[depths.name] = depths.sent, depths.deleted
            # A queue of that name that counts less than before is another one.
            if sent > depths.sent or deleted > depths.deleted:
                sent = deleted = 0
            for metric, value in queue_metrics(depths, depths.sent - sent, depths.deleted - deleted).items():
                self._samples[metric].append(value)

    def _evaluate(self, definition: Definition, present: AlarmState, now: float) -> None:
        period = self._lasting(definition.period_seconds)
        # The latest period that is over; one that still runs has no datapoint yet.
        last = period_start(now, period) - period
        times = [last - back * period for back in reversed(range(definition.evaluation_range))]
        try:
            metrics = {
                query.id: {
                    start: statistics.value(query.statistic)
                    for start, statistics in fold(self._backends.metric_data(query.metric, times[0]), period).items()
                }
                for query in definition.queries
                if query.metric is not None
            }
            series = watched_series(definition, metrics, times)
        except (ExpressionError, ValueError) as error:
            log.warning("alarm %s cannot be evaluated: %s", definition.name, error)
            return
        verdict = judge(definition, [series.get(start) for start in times], present)
        if verdict.state is not present:
            log.info("alarm %s: %s to %s: %s", definition.name, present, verdict.state, verdict.reason)
            self._backends.set_alarm_state(definition.name, verdict.state, verdict.reason)

    def _lasting(self, seconds: float) -> float:
        return seconds / MINUTE_SECONDS * self._minute


def queue_metrics(depths: QueueDepths, sent: int, deleted: int) -> dict[MetricId, float]:
    """The AWS/SQS metrics of a queue at one moment; `sent` and `deleted` are the messages since the moment before."""
    values = {
        "NumberOfMessagesSent": sent,
        "NumberOfMessagesDeleted": deleted,
        "ApproximateNumberOfMessagesVisible": depths.visible,
        "ApproximateNumberOfMessagesNotVisible": depths.not_visible,
        "ApproximateNumberOfMessagesDelayed": depths.delayed,
        "ApproximateAgeOfOldestMessage": depths.oldest_age_seconds,
    }
    dimensions = (("QueueName", depths.name),)
    return {MetricId("AWS/SQS", name, dimensions): float(value) for name, value in values.items()}


def _unit(name: str) -> str:
    return "Seconds" if name == "ApproximateAgeOfOldestMessage" else "Count"
