"""Arrivals of images over time: cohorts of (second, number of images), in order of time."""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Arrivals are gathered into cohorts this long, in seconds: far below any delay that matters here.
_COHORT_SECONDS = 0.5
_DAY_SECONDS = 86_400.0
_LONGEST_SECONDS = 366 * _DAY_SECONDS


class TraceError(ValueError):
    """A trace file that cannot be used; the text names the line and what it must be like."""


@dataclass(frozen=True)
class Workload:
    """A name, and how many images arrive when (seconds from the start)."""

    name: str
    cohorts: tuple[tuple[float, int], ...]

    @property
    def images(self) -> int:
        """All of them."""
        return sum(count for _, count in self.cohorts)

    @property
    def seconds(self) -> float:
        """When the last one arrives."""
        return self.cohorts[-1][0] if self.cohorts else 0.0


def burst(images: int, upload_seconds: float = 1.0) -> Workload:
    """All at once, as fast as the web tier takes them: spread evenly over `upload_seconds`."""
    steps = max(1, min(images, int(upload_seconds / _COHORT_SECONDS)))
    edges = [images * step // steps for step in range(steps + 1)]
    cohorts = [(step * _COHORT_SECONDS, edges[step + 1] - edges[step]) for step in range(steps)]
    return Workload(f"burst of {images:,}", tuple(cohort for cohort in cohorts if cohort[1]))


def bursts(images: int, count: int, every_seconds: float) -> Workload:
    """The same burst again and again."""
    one = burst(images).cohorts
    cohorts = [(at + number * every_seconds, size) for number in range(count) for at, size in one]
    return Workload(f"{count} bursts of {images:,}, every {every_seconds:,.0f} s", tuple(cohorts))


def poisson(images_per_second: float, seconds: float, random: np.random.Generator) -> Workload:
    """Independent arrivals at a constant mean rate."""
    return Workload(f"Poisson, {images_per_second:g}/s", _sampled(lambda _: images_per_second, seconds, random))


def diurnal(images: int, random: np.random.Generator, days: int = 1) -> Workload:
    """A day's curve: nothing at midnight, most at noon (a raised cosine), about `images` a day."""
    mean = images / _DAY_SECONDS

    def rate(at: float) -> float:
        return float(mean * (1 - np.cos(2 * np.pi * at / _DAY_SECONDS)))

    return Workload(f"{images:,} a day, most at noon", _sampled(rate, days * _DAY_SECONDS, random))


def trace(path: Path) -> Workload:
    """A CSV file with a line `seconds,images` for each arrival or group of them, without a heading.

    Raises:
        TraceError: a line is of another form, or there is none, or the file is no text.
        OSError: the file cannot be read.
    """
    cohorts: list[tuple[float, int]] = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise TraceError(f"{path}: is no CSV file ({error})") from error
    for number, row in enumerate(rows, start=1):
        try:
            at, count = float(row[0]), int(row[1])
        except (IndexError, ValueError) as error:
            raise TraceError(f"{path}, line {number}: must be like 12.5,100 (got {','.join(row)!r})") from error
        # No comparison holds for what is not a number, and seconds of the calendar would take the model for years.
        if not 0 <= at <= _LONGEST_SECONDS:
            raise TraceError(
                f"{path}, line {number}: seconds count from the trace's beginning, and {_LONGEST_SECONDS:.0f}, a year,"
                f" is the most (got {row[0]!r})"
            )
        if count < 1:
            raise TraceError(f"{path}, line {number}: at least one image (got {row!r})")
        cohorts.append((at, count))
    if not cohorts:
        raise TraceError(f"{path}: there is no line in it")
    return Workload(path.stem, _merged(cohorts))


def _sampled(
    rate: Callable[[float], float], seconds: float, random: np.random.Generator
) -> tuple[tuple[float, int], ...]:
    moments = np.arange(0, seconds, _COHORT_SECONDS)
    counts = random.poisson([rate(at) * _COHORT_SECONDS for at in moments])
    return tuple((float(at), int(count)) for at, count in zip(moments, counts, strict=True) if count)


def _merged(cohorts: Iterable[tuple[float, int]]) -> tuple[tuple[float, int], ...]:
    merged: dict[float, int] = {}
    for at, count in cohorts:
        start = at // _COHORT_SECONDS * _COHORT_SECONDS
        merged[start] = merged.get(start, 0) + count
    return tuple(sorted(merged.items()))
