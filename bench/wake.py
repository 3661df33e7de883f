"""What a burst of 1,000 uploads costs by each way of waking the Lambda, and how soon it asks for capacity.

The ways: the web tier's own coalesced message, with and without a batching window, and a notification of the in-bucket
for each object. Messages are counted in one burst, with nobody to take them, and invocations in another.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests
from rich.console import Console
from rich.table import Table

from bench.deployment import FUNCTION_PREFIX, Deployment
from tests.e2e.cloud import Cloud, started
from tests.photos import imagenet_photos

UPLOADS, QUICK_UPLOADS = 1_000, 200
_BUCKET = "novaburst-in-bucket"


@dataclass(frozen=True)
class Figures:
    """Of one burst; times in seconds since its first byte."""

    uploaded: float
    messages: int
    invocations: int
    first_call: float


class Mapping:
    """A queue that wakes the Lambda; switched off at first."""

    def __init__(self, deployment: Deployment, url: str, batch_size: int, window_seconds: int) -> None:
        self._functions = deployment.clients["lambda"]
        arn = deployment.clients["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        self.queue_arn = arn["Attributes"]["QueueArn"]
        self._id = self._functions.create_event_source_mapping(
            EventSourceArn=self.queue_arn,
            FunctionName=f"{FUNCTION_PREFIX}on_wake",
            BatchSize=batch_size,
            MaximumBatchingWindowInSeconds=window_seconds,
            Enabled=False,
        )["UUID"]

    def switch(self, *, on: bool) -> None:
        """Take messages from now on, or no longer; the pollers follow within a second."""
        self._functions.update_event_source_mapping(UUID=self._id, Enabled=on)
        time.sleep(2)


def upload(cloud: Cloud, uploads: int) -> tuple[float, float]:
    """Send the burst as one request of a browser's form; when it began, and the seconds until all was accepted."""
    content = imagenet_photos()[0].path.read_bytes()
    files = [("photos", (f"{number}.jpg", content)) for number in range(uploads)]
    began = time.time()
    requests.post(f"{cloud.url}/api/v1/upload", files=files, timeout=300).raise_for_status()
    return began, time.time() - began


def measure(cloud: Cloud, deployment: Deployment, mapping: Mapping, url: str, uploads: int) -> Figures:
    """Two bursts: the first with the wake-up off counts messages, the second with it on does the rest."""
    deployment.wait_for_zero()
    before = deployment.messages(url)
    upload(cloud, uploads)
    messages = deployment.messages(url) - before
    deployment.evaluate()
    deployment.wait_for_zero()
    mapping.switch(on=True)
    deployment.warm_up()
    invocations = deployment.invocations("on_wake")
    began, uploaded = upload(cloud, uploads)
    deployment.wait_for_zero()
    mapping.switch(on=False)
    first = min(one.at for one in deployment.capacity_since(began))
    return Figures(uploaded, messages, deployment.invocations("on_wake") - invocations, first - began)


def main(*, quick: bool) -> None:
    """Measure and print the table; the quick form uploads fewer."""
    uploads = QUICK_UPLOADS if quick else UPLOADS
    table = Table(f"{uploads} uploads", "uploaded, s", "wake messages", "invocations", "first call, s")
    with (
        tempfile.TemporaryDirectory() as state,
        started(Path(state), "--boot-seconds", "5", "--idle-seconds", "2", "--max-workers", "2") as cloud,
    ):
        deployment = Deployment(cloud)
        deployment.trigger(wake=False)
        sqs, wake_url = deployment.clients["sqs"], deployment.queue("wake-queue")
        notice_url = sqs.create_queue(QueueName="novaburst-notice-queue")["QueueUrl"]
        noticed = Mapping(deployment, notice_url, 1000, 1)

        def notify() -> None:
            target = {"QueueArn": noticed.queue_arn, "Events": ["s3:ObjectCreated:*"]}
            deployment.clients["s3"].put_bucket_notification_configuration(
                Bucket=_BUCKET, NotificationConfiguration={"QueueConfigurations": [target]}
            )

        ways: list[tuple[str, Callable[[], Mapping], str]] = [
            ("coalesced by the web tier, window 1 s", lambda: Mapping(deployment, wake_url, 1000, 1), wake_url),
            ("coalesced by the web tier, no window", lambda: Mapping(deployment, wake_url, 10, 0), wake_url),
            ("a notification of the in-bucket each, window 1 s", lambda: noticed, notice_url),
        ]
        for name, mapping, url in ways:
            if url == notice_url:
                notify()
            figures = measure(cloud, deployment, mapping(), url, uploads)
            table.add_row(
                name,
                f"{figures.uploaded:.1f}",
                str(figures.messages),
                str(figures.invocations),
                f"{figures.first_call:.1f}",
            )
    Console(width=120).print(table)
