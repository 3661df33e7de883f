"""A running `novaburst up` as the benchmarks of scaling see it: the embedded AWS behind it, and the Lambda's log."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3

from tests.e2e.cloud import Cloud, until

FUNCTION_PREFIX = "novaburst-scaling-local-"


@dataclass(frozen=True)
class Capacity:
    """One evaluation that asked for capacity: when it had it (seconds since the epoch), and how much by which way."""

    at: float
    launched: int
    started: int


class Deployment:
    """The deployment of a local cloud, reached as its operator would reach it."""

    def __init__(self, cloud: Cloud) -> None:
        endpoint = cloud.wait_for_line("embedded AWS").split()[-1]
        session = boto3.Session("local", "local", region_name="us-east-1")
        names = ("ec2", "lambda", "s3", "sqs")
        self.clients: dict[str, Any] = {name: session.client(name, endpoint_url=endpoint) for name in names}  # type: ignore[call-overload]
        self._logs = cloud.state / "aws" / "lambda" / "logs"

    def configure(self, settings: Mapping[str, str]) -> None:
        """Set these variables on every function of the Lambda."""
        functions = self.clients["lambda"]
        for function in functions.list_functions()["Functions"]:
            variables = {**function["Environment"]["Variables"], **settings}
            functions.update_function_configuration(
                FunctionName=function["FunctionName"], Environment={"Variables": variables}
            )

    def trigger(self, *, wake: bool) -> None:
        """Switch the wake-up on or off."""
        functions = self.clients["lambda"]
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=wake)

    def queue(self, name: str) -> str:
        """The address of a queue."""
        url: str = self.clients["sqs"].get_queue_url(QueueName=f"novaburst-{name}")["QueueUrl"]
        return url

    def messages(self, url: str) -> int:
        """How many messages a queue holds."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = self.clients["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(map(int, counts.values()))

    def instances(self, *states: str) -> int:
        """How many instances are in one of these states."""
        filters = [{"Name": "instance-state-name", "Values": list(states)}]
        pages = self.clients["ec2"].get_paginator("describe_instances").paginate(Filters=filters)
        return sum(len(reservation["Instances"]) for page in pages for reservation in page["Reservations"])

    def wait_for_zero(self) -> None:
        """Return when nothing is queued and nothing boots, runs or ends."""
        until(lambda: self.messages(self.queue("req-queue")) == 0, 600)
        until(lambda: self.instances("pending", "running", "stopping", "shutting-down") == 0, 600)

    def capacity_since(self, began: float) -> list[Capacity]:
        """The evaluations since then that launched or started instances, in order; each instance once."""
        evaluations = sorted(
            (entry for log in self._logs.glob("*.log") for entry in _evaluations(log.read_text().splitlines())),
            key=lambda entry: str(entry["timestamp"]),
        )
        seen: set[str] = set()
        found = []
        for entry in evaluations:
            at = datetime.strptime(entry["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z").timestamp()
            # An overlapping evaluation reports the instances of the one that came first.
            launched = set(entry["outcome"]["launched"]) - seen
            started = set(entry["outcome"]["started"])
            if at >= began and (launched or started):
                seen |= launched
                found.append(Capacity(at, len(launched), len(started)))
        return found

    def invocations(self, function: str) -> int:
        """How often a function has been invoked."""
        log = self._logs / f"{FUNCTION_PREFIX}{function}.log"
        return log.read_text().count("START RequestId") if log.exists() else 0

    def evaluate(self) -> None:
        """Have the Lambda look now, as a person may."""
        self.clients["lambda"].invoke(FunctionName=f"{FUNCTION_PREFIX}on_request", Payload="{}")

    def warm_up(self) -> None:
        """Let the functions start, as they have on a system that is in use."""
        self.clients["sqs"].send_message(QueueUrl=self.queue("wake-queue"), MessageBody='{"v":1}')
        time.sleep(3)
        self.wait_for_zero()


def _evaluations(lines: list[str]) -> list[dict[str, Any]]:
    entries = [json.loads(line) for line in lines if line.startswith('{"level"')]
    return [entry for entry in entries if entry.get("message") == "evaluation"]
