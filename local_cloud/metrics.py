"""Metrics as CloudWatch keeps them: samples folded into the statistics of a period."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class MetricId:
    """What names a metric."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Statistics:
    """The statistics of the samples of one metric in one period."""

    minimum: float
    maximum: float
    total: float
    count: float

    @classmethod
    def of(cls, samples: Iterable[float]) -> Self:
        """The statistics of at least one sample."""
        values = list(samples)
        return cls(min(values), max(values), sum(values), len(values))

    def merged(self, other: "Statistics") -> "Statistics":
        """The statistics of both sets of samples together."""
        return Statistics(
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
            self.total + other.total,
            self.count + other.count,
        )

    def value(self, statistic: str) -> float:
        """One statistic by its CloudWatch name.

        Raises:
            ValueError: a statistic that needs the samples themselves (a percentile).
        """
        match statistic:
            case "Minimum":
                return self.minimum
            case "Maximum":
                return self.maximum
            case "Sum":
                return self.total
            case "SampleCount":
                return self.count
            case "Average":
                return self.total / self.count
        raise ValueError(f"statistic {statistic} is not kept here")


def fold(data: Iterable[tuple[float, Statistics]], period_seconds: float) -> dict[float, Statistics]:
    """Statistics a period, by the period's start; periods are aligned to the epoch."""
    periods: dict[float, Statistics] = {}
    for moment, statistics in data:
        start = period_start(moment, period_seconds)
        periods[start] = periods[start].merged(statistics) if start in periods else statistics
    return periods


def period_start(moment: float, period_seconds: float) -> float:
    """The start of the period that holds `moment` (seconds since the epoch)."""
    return moment // period_seconds * period_seconds
