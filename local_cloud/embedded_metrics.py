"""CloudWatch's embedded metric format: what a line of a log says about metrics.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local_cloud.metrics import MetricId, Statistics

_MARK = b'"_aws"'


@dataclass(frozen=True)
class Datum:
    """A metric's values in one line; `at` in seconds since the epoch."""

    metric: MetricId
    at: float
    statistics: Statistics
    unit: str


def data_of(line: bytes) -> Iterator[Datum]:
    """The metrics of a log line; none for a line of another kind.

    As in CloudWatch, a metric or a dimension that the line names and does not have is left out, without a word.
    """
    if _MARK not in line:
        return
    try:
        fields = json.loads(line)
        about = fields["_aws"]
        at = about["Timestamp"] / 1000
        for directive in about["CloudWatchMetrics"]:
            yield from _directive(directive, fields, at)
    except (ValueError, KeyError, TypeError):
        return


def _directive(directive: dict[str, Any], fields: dict[str, Any], at: float) -> Iterator[Datum]:
    for names in directive["Dimensions"]:
        if not all(name in fields for name in names):
            continue
        dimensions = tuple((name, str(fields[name])) for name in names)
        for metric in directive["Metrics"]:
            values = fields.get(metric["Name"])
            values = values if isinstance(values, list) else [values]
            samples = [float(value) for value in values if isinstance(value, int | float)]
            if samples:
                identity = MetricId(directive["Namespace"], metric["Name"], dimensions)
                yield Datum(identity, at, Statistics.of(samples), metric.get("Unit", "None"))
