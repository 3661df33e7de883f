"""An embedded AWS in a process of its own, with one deployment's queues and buckets and a metadata service."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local_cloud.preflight import free_port
from novaburst.bounds import MAX_RECEIVE_COUNT
from novaburst.objects import Bucket
from novaburst.queues import Queue
from novaburst.settings import Settings
from tests.poisoned import FOLDER as POISON_FOLDER
from tests.unit.worker_ami.baked import FOLDER as MODEL_FOLDER
from tests.unit.worker_ami.baked import PROJECT, baked_model
from tests.unit.worker_ami.metadata import MetadataService

# Seconds: short, so that what a killed worker held comes back soon.
VISIBILITY_SECONDS = 6


@dataclass(frozen=True)
class Cloud:
    """What the soak and its workers share."""

    in_bucket: Bucket
    out_bucket: Bucket
    requests: Queue
    responses: Queue
    dead: Queue
    environment: dict[str, str]


@contextmanager
def running_cloud(folder: Path) -> Iterator[Cloud]:
    """A cloud until the end of the block, with its state and log in `folder`."""
    baked_model()
    port = free_port()
    command = [sys.executable, "-m", "local_cloud.server", "--port", str(port), "--state", str(folder)]
    with (
        (folder / "cloud.log").open("wb") as log,
        subprocess.Popen(
            [*command, "--model", str(MODEL_FOLDER)], cwd=PROJECT, stdout=log, stderr=subprocess.STDOUT
        ) as server,
        MetadataService() as metadata,
    ):
        Thread(target=metadata.serve_forever, daemon=True).start()
        try:
            yield _deployment(f"http://127.0.0.1:{port}", metadata.environment)
        finally:
            metadata.shutdown()
            server.terminate()


def _deployment(endpoint: str, metadata: dict[str, str]) -> Cloud:
    settings = Settings.load(prefix="novasoak")
    session = boto3.Session("testing", "testing", region_name="us-east-1")
    s3, sqs = session.client("s3", endpoint_url=endpoint), session.client("sqs", endpoint_url=endpoint)
    deadline = time.monotonic() + 60
    while True:
        try:
            s3.list_buckets()
            break
        except (BotoCoreError, ClientError):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    for bucket in (settings.in_bucket, settings.out_bucket):
        s3.create_bucket(Bucket=bucket)
    for name in (settings.response_queue, settings.dead_letter_queue):
        sqs.create_queue(QueueName=name)
    dead = Queue(sqs, settings.dead_letter_queue)
    arn = sqs.get_queue_attributes(QueueUrl=dead.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVE_COUNT})
    attributes = {"VisibilityTimeout": str(VISIBILITY_SECONDS), "RedrivePolicy": redrive}
    sqs.create_queue(QueueName=settings.request_queue, Attributes=attributes)
    return Cloud(
        Bucket(s3, settings.in_bucket),
        Bucket(s3, settings.out_bucket),
        Queue(sqs, settings.request_queue),
        Queue(sqs, settings.response_queue),
        dead,
        {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(POISON_FOLDER),
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": endpoint,
            **metadata,
            "NOVABURST_PREFIX": settings.prefix,
            "NOVABURST_MODEL_DIR": str(MODEL_FOLDER),
            "NOVABURST_IDLE_SECONDS": "600",
            "NOVABURST_POLL_SECONDS": "1",
            "NOVABURST_VISIBILITY_SECONDS": str(VISIBILITY_SECONDS),
            "NOVABURST_HEARTBEAT_SECONDS": str(VISIBILITY_SECONDS // 3),
            "NOVABURST_IMAGE_SECONDS": "2",
        },
    )
