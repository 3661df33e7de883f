"""Whole bills, item by item: of a burst, and of a month in which nothing is to be done. Pure; US dollars."""

import math
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from novaburst.bounds import RETENTION_DAYS
from scaling_lambda.settings import TRIGGERS
from simulator.prices import HOURS_A_MONTH, Prices
from simulator.usage import LAMBDA_GB, LOG_DAYS, Image, Look, Minute, Rest, Worker

_GB = 2.0**30
_DAYS_A_MONTH = HOURS_A_MONTH / 24

IMAGE, LOOK, MINUTE, REST, WORKER = Image(), Look(), Minute(), Rest(), Worker()


@dataclass(frozen=True)
class Item:
    """So much of something, and what it costs."""

    name: str
    amount: float
    unit: str
    dollars: float


@dataclass(frozen=True)
class Bill:
    """Its items in the order of what causes them."""

    items: tuple[Item, ...]

    @property
    def total(self) -> float:
        """US dollars for all of them."""
        return sum(item.dollars for item in self.items)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {**asdict(self), "total": self.total}


@dataclass(frozen=True)
class Uploads:
    """So many images, each of so many bytes on average, that stay in their buckets for so many days, as results do."""

    images: float
    image_bytes: float
    days: float = float(RETENTION_DAYS)


@dataclass(frozen=True)
class Fleet:
    """What instances did for a burst: US dollars and billed hours, and the seconds until the last had ended."""

    dollars: float
    hours: float
    seconds: float


@dataclass(frozen=True)
class Kept:
    """What is there without work: instances that run, at a price an hour, those that are stopped, and the Lambda.

    NOVABURST_MIN_WORKERS, NOVABURST_STANDBY and NOVABURST_TRIGGERS say so.
    """

    running: int
    standby: int
    price: float
    triggers: Collection[str] = TRIGGERS


def of_images(uploads: Uploads, prices: Prices) -> Bill:
    """What images cost however they are scaled for: requests, storage and logs."""
    images = uploads.images
    stored = images * (uploads.image_bytes + IMAGE.result_bytes) / _GB * uploads.days / _DAYS_A_MONTH
    return Bill(
        (
            _requests("S3: PUT and LIST", images * IMAGE.puts, prices.s3_put_per_1000 / 1000),
            _requests("S3: GET", images * IMAGE.gets, prices.s3_get_per_1000 / 1000),
            Item(f"S3: kept for {uploads.days:g} days", stored, "GB months", stored * prices.s3_gb_month),
            _requests("SQS", images * IMAGE.sqs, prices.sqs_per_million / 1e6),
            _log("the workers' log", images * IMAGE.log_bytes, prices),
        )
    )


def of_burst(uploads: Uploads, fleet: Fleet, prices: Prices) -> Bill:
    """All that one burst costs on its own: the fleet, the images, and what watches over both."""
    hours, minutes = math.ceil(fleet.seconds / 3600), math.ceil(fleet.seconds / 60)
    reads = minutes * MINUTE.metric_reads
    return Bill(
        (
            Item("EC2: instances", fleet.hours, "hours", fleet.dollars),
            *_beside(fleet.hours, prices),
            *of_images(uploads, prices).items,
            *_watching(minutes, MINUTE.wakes, prices),
            Item("CloudWatch: metrics read", reads, "metrics", reads * prices.metric_reads_per_1000 / 1000),
            _metrics("the workers' metrics", WORKER.metrics * hours / HOURS_A_MONTH, prices),
        )
    )


def of_month(kept: Kept, prices: Prices) -> Bill:
    """What a deployment costs in a month without an image."""
    hours = HOURS_A_MONTH
    snapshot, dashboards = WORKER.disk_gb * prices.snapshot_gb_month, REST.dashboards * prices.dashboard_month
    alarms = REST.alarm_metrics * prices.alarm_metric_month
    return Bill(
        (
            *(_looking(prices) if "schedule" in kept.triggers else ()),
            Item("CloudWatch: dashboard", REST.dashboards, "dashboards", dashboards),
            Item("CloudWatch: alarms", REST.alarm_metrics, "metrics looked at", alarms),
            _requests("SQS: the web tier's polls", hours * REST.sqs, prices.sqs_per_million / 1e6),
            *([_wake_polls(prices)] if "wake" in kept.triggers else ()),
            Item("EBS: the AMI's snapshot, at most", WORKER.disk_gb, "GB months", snapshot),
            *(_running(kept, prices) if kept.running else ()),
            *([_disks("EBS: disks of workers that stand by", kept.standby * hours, prices)] if kept.standby else ()),
        )
    )


def _running(kept: Kept, prices: Prices) -> tuple[Item, ...]:
    hours = kept.running * HOURS_A_MONTH
    return (
        Item("EC2: instances kept running", hours, "hours", hours * kept.price),
        *_beside(hours, prices),
        _requests("SQS: their polls", hours * WORKER.sqs, prices.sqs_per_million / 1e6),
        _metrics("their metrics", WORKER.metrics, prices),
    )


def _beside(hours: float, prices: Prices) -> tuple[Item, ...]:
    addresses = hours * WORKER.addresses
    return (
        _disks("EBS: their disks", hours, prices),
        Item("VPC: their public addresses", addresses, "hours", addresses * prices.address_hour),
    )


def _watching(minutes: float, wakes: float, prices: Prices) -> tuple[Item, ...]:
    looks = minutes * (MINUTE.looks + wakes)
    seconds = minutes * (MINUTE.seconds + wakes * LOOK.seconds)
    return _lambda(minutes * (1 + wakes), seconds, looks, prices, more_sqs=minutes * MINUTE.sqs)


def _looking(prices: Prices) -> tuple[Item, ...]:
    """The schedule's month: a look each minute, whoever is kept (scaling_lambda.watch)."""
    looks = HOURS_A_MONTH * REST.looks
    items = _lambda(looks, looks * LOOK.seconds, looks, prices)
    return (_metrics("the Lambda's metrics", REST.metrics, prices), *items)


def _wake_polls(prices: Prices) -> Item:
    return _requests("SQS: polls of the wake queue", HOURS_A_MONTH * REST.wake_polls, prices.sqs_per_million / 1e6)


def _lambda(
    invocations: float, seconds: float, looks: float, prices: Prices, *, more_sqs: float = 0.0
) -> tuple[Item, ...]:
    return (
        Item("Lambda: invocations", invocations, "invocations", invocations * prices.lambda_per_million / 1e6),
        Item("Lambda: time", seconds, "seconds", seconds * LAMBDA_GB * prices.lambda_gb_second),
        _requests("SQS: looks at the queue", looks * LOOK.sqs + more_sqs, prices.sqs_per_million / 1e6),
        _log("the Lambda's log", looks * LOOK.log_bytes, prices),
    )


def _requests(name: str, requests: float, price: float) -> Item:
    return Item(name, requests, "requests", requests * price)


def _metrics(whose: str, months: float, prices: Prices) -> Item:
    return Item(f"CloudWatch: {whose}", months, "metric months", months * prices.metric_month)


def _log(whose: str, size: float, prices: Prices) -> Item:
    """Taken in and kept, uncompressed: an upper bound, since CloudWatch compresses what it keeps."""
    price = prices.logs_gb + prices.logs_gb_month * LOG_DAYS / _DAYS_A_MONTH
    return Item(f"CloudWatch: {whose}", size / _GB, "GB", size / _GB * price)


def _disks(name: str, hours: float, prices: Prices) -> Item:
    months = hours * WORKER.disk_gb / HOURS_A_MONTH
    return Item(name, months, "GB months", months * prices.disk_gb_month)
