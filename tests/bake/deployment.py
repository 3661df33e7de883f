"""A deployment on the embedded AWS, as a client and an operator use it."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy import deploy
from novaburst.contract import Request, Result, new_id, result_key, utc_now
from novaburst.objects import Bucket, ObjectMissingError
from novaburst.queues import Queue
from novaburst.settings import Settings

T = TypeVar("T")
PREFIX = "novabake"
# An image that moto knows.
_IMAGE = "ami-12c6146b"


@dataclass(frozen=True)
class Deployment:
    """The stack's parts, and the folder in which its instances live."""

    ec2: Any
    in_bucket: Bucket
    out_bucket: Bucket
    requests: Queue
    state: Path

    def launch(self) -> str:
        """Launch an instance from the stack's template; its id."""
        template = {"LaunchTemplateName": f"{PREFIX}-worker", "Version": "$Latest"}
        started = self.ec2.run_instances(LaunchTemplate=template, MinCount=1, MaxCount=1)
        return str(started["Instances"][0]["InstanceId"])

    def instance_state(self, instance: str) -> str:
        """What EC2 says about it."""
        (reservation,) = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"]
        return str(reservation["Instances"][0]["State"]["Name"])

    def on_shutdown(self, instance: str, behaviour: str) -> None:
        """Say what becomes of an instance that powers itself off, as the scaling Lambda does."""
        self.ec2.modify_instance_attribute(
            InstanceId=instance, Attribute="instanceInitiatedShutdownBehavior", Value=behaviour
        )

    def ask(self, photo: Path) -> str:
        """Upload a photo and queue its request; its id."""
        image = new_id()
        self.in_bucket.put(image, photo.read_bytes())
        request = Request(
            id=image, batch="bake", bucket=self.in_bucket.name, key=image, name=photo.name, sent=utc_now()
        )
        assert self.requests.send([request.to_message()]) == []
        return image

    def answer(self, image: str, seconds: float = 60) -> Result:
        """Wait for the result of an image."""

        def stored() -> Result | None:
            try:
                return Result.parse(self.out_bucket.get(result_key(image)))
            except ObjectMissingError:
                return None

        return until(stored, seconds)

    def log(self, instance: str) -> list[dict[str, Any]]:
        """The log that the agent would ship."""
        text = (self.disk(instance) / "var/log/novaburst/worker.log").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def disk(self, instance: str) -> Path:
        """What the instance has written."""
        return self.state / "instances" / instance / "disk" / "upper"


def deployed(endpoint: str, state: Path) -> Deployment:
    """Wait for the AWS at `endpoint`, and deploy the template there."""
    session = boto3.Session("testing", "testing", region_name="us-east-1")
    clients = {name: session.client(name, endpoint_url=endpoint) for name in ("ec2", "s3", "sqs", "cloudformation")}

    def up() -> bool:
        try:
            return bool(clients["s3"].list_buckets())
        except (BotoCoreError, ClientError):
            return False

    until(up, 60)
    deploy(PREFIX, {"ImageId": _IMAGE, "IdleSeconds": "15"}, client=clients["cloudformation"])
    names = Settings.load(prefix=PREFIX)
    return Deployment(
        clients["ec2"],
        Bucket(clients["s3"], names.in_bucket),
        Bucket(clients["s3"], names.out_bucket),
        Queue(clients["sqs"], names.request_queue),
        state,
    )


def until(probe: Callable[[], T | None], seconds: float) -> T:
    """Ask again and again until the answer is true."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
    return answer
