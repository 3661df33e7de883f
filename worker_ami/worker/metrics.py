"""Metrics as lines of the log, in CloudWatch's embedded metric format.

The log is shipped anyway, and CloudWatch makes metrics of such lines by itself: the worker needs no client, no call
that could fail and no permission beyond that of the log (PutMetricData would be a right on all namespaces).
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import logging
import threading
import time
from collections.abc import Callable

from worker_ami.worker.counts import STAGES, Counts, Totals

log = logging.getLogger(__name__)

# As the scaling Lambda's own.
NAMESPACE = "Novaburst"
_PERIOD_SECONDS = 60.0
# A worker that starts later than this after boot was restarted, so the time from boot to its first result says nothing.
_BOOT_SECONDS = 600.0


def metric_fields(before: Totals, now: Totals, seconds: float, *, fleet: str, at: float) -> dict[str, object]:
    """The fields of a log line with the metrics of the last `seconds`, `at` seconds since the epoch.

    Stage times are means over the images that got a label, and left out when there was none.
    """
    images, labelled = now.images - before.images, now.labelled - before.labelled
    values: dict[str, tuple[float, str]] = {
        "Images": (images, "Count"),
        "ImagesPerSecond": (round(images / seconds, 3), "Count/Second"),
        "Errors": (images - labelled, "Count"),
    }
    if labelled:
        for stage in STAGES:
            mean = (now.ms[stage] - before.ms[stage]) / labelled
            values[f"{stage.capitalize()}Milliseconds"] = (round(mean, 1), "Milliseconds")
    for code, count in now.errors.items():
        if more := count - before.errors.get(code, 0):
            values[f"Errors.{code}"] = (more, "Count")
    return embedded(values, fleet=fleet, at=at)


def embedded(values: dict[str, tuple[float, str]], *, fleet: str, at: float) -> dict[str, object]:
    """Metrics (name to value and unit) with the dimension `fleet`, as the fields of a log line."""
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["fleet"]],
        "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in values.items()],
    }
    return {
        "_aws": {"Timestamp": round(at * 1000), "CloudWatchMetrics": [directive]},
        "fleet": fleet,
        **{name: value for name, (value, _) in values.items()},
    }


class Reporter:
    """The loop of one thread: a line a minute, one with what is left at the end, and one after the first result."""

    def __init__(self, counts: Counts, fleet: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._counts = counts
        self._fleet = fleet
        self._clock = clock
        self._before = Totals()
        self._reported_at = clock()
        self._started_at = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._told_first = False

    def run(self, ended: threading.Event) -> None:
        """Report each minute until `ended`, and then once more."""
        while not ended.wait(_PERIOD_SECONDS):
            self.report()
        self.report()

    def report(self) -> None:
        """Report what has been done since the last time."""
        now, clock, at = self._counts.totals(), self._clock(), time.time()
        fields = metric_fields(self._before, now, clock - self._reported_at, fleet=self._fleet, at=at)
        self._before, self._reported_at = now, clock
        log.info("metrics", extra=fields)
        first = self._counts.first_result_at
        if first is not None and not self._told_first:
            self._told_first = True
            if self._started_at < _BOOT_SECONDS:
                seconds = {"BootToFirstResultSeconds": (round(first, 2), "Seconds")}
                log.info("first result", extra=embedded(seconds, fleet=self._fleet, at=at))
