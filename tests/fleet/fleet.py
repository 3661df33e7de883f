"""One deployment in an embedded AWS with faults, as the tests of this folder see and use it."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import psutil
from botocore.config import Config

from novaburst.queues import Queue
from novaburst.settings import Settings as SharedSettings
from scaling_lambda.clock import Clock, SystemClock
from scaling_lambda.evaluate import Evaluator
from scaling_lambda.settings import Settings
from tests.fleet.faulty_aws import Faults
from web_tier.waker import WAKE_MESSAGE

IMAGES_PER_WORKER = 5
FUNCTIONS = ("on_wake", "on_alarm", "on_schedule")
# A minute of the embedded AWS, the workers' idle time, and how soon the Lambda may act on what it sees; in seconds.
MINUTE_SECONDS = 2
IDLE_SECONDS = 2
GRACE_SECONDS = 10
CONFIRM_SECONDS = 3
LAMBDA_ENVIRONMENT = {
    "NOVABURST_IMAGES_PER_WORKER": str(IMAGES_PER_WORKER),
    "NOVABURST_IDLE_SECONDS": str(IDLE_SECONDS),
    "NOVABURST_CONFIRM_SECONDS": str(CONFIRM_SECONDS),
    "NOVABURST_IDLE_CONFIRM_SECONDS": str(CONFIRM_SECONDS),
    "NOVABURST_BOOT_GRACE_SECONDS": str(GRACE_SECONDS),
    # The short minute is the polling: a watch within it would keep every execution environment busy.
    "NOVABURST_WATCH_SECONDS": "0",
}


class Fleet:
    """The deployment `fleet`, and what goes wrong around it."""

    prefix = "fleet"

    def __init__(self, process: "subprocess.Popen[bytes]", endpoint: str, folder: Path, faults: Faults) -> None:
        self.endpoint = endpoint
        self.faults = faults
        self.orders = folder / "orders"
        self.state = folder / "state"
        self._process = process
        self._killed: set[str] = set()
        session = boto3.Session("local", "local", region_name="us-east-1")
        config = Config(max_pool_connections=40)
        names = ("cloudformation", "cloudwatch", "ec2", "events", "lambda", "s3", "sns", "sqs")
        self.clients: dict[str, Any] = {
            name: session.client(name, endpoint_url=endpoint, config=config) for name in names
        }  # type: ignore[call-overload]

    @property
    def settings(self) -> SharedSettings:
        return SharedSettings.load(prefix=self.prefix)

    def queue(self, name: str) -> Queue:
        return Queue(self.clients["sqs"], f"{self.prefix}-{name}")

    def send(self, count: int) -> None:
        """Queue the requests of so many uploads."""
        assert self.queue("req-queue").send(["{}"] * count) == []

    def wake(self) -> None:
        """What the web tier does after it has queued work."""
        self.queue("wake-queue").send([WAKE_MESSAGE])

    def backlog(self) -> int:
        return self.queue("req-queue").depth().backlog

    def alarm_state(self, name: str) -> str:
        """OK, ALARM or INSUFFICIENT_DATA."""
        alarms = self.clients["cloudwatch"].describe_alarms(AlarmNames=[f"{self.prefix}-{name}"])
        state: str = alarms["MetricAlarms"][0]["StateValue"]
        return state

    def evaluator(
        self,
        sqs: Any = None,
        grace_seconds: float = GRACE_SECONDS,
        images_per_worker: int = IMAGES_PER_WORKER,
        clock: Clock | None = None,
    ) -> Evaluator:
        """The Lambda's own evaluation in this process, with its settings, as the web tier's fallback does it."""
        environment = {**LAMBDA_ENVIRONMENT, "NOVABURST_IMAGES_PER_WORKER": str(images_per_worker)}
        settings = Settings.load({"NOVABURST_PREFIX": self.prefix, **environment})
        settings = replace(settings, limits=replace(settings.limits, boot_grace=timedelta(seconds=grace_seconds)))
        clients = self.clients
        return Evaluator(settings, sqs or clients["sqs"], clients["ec2"], clients["cloudwatch"], clock or SystemClock())

    def invoke(self, function: str, event: Any) -> None:
        """Start a function of the Lambda, and do not wait for it."""
        name = f"novaburst-scaling-local-{function}"
        self.clients["lambda"].invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event))

    def invocations(self, *functions: str) -> int:
        """How often these functions were invoked."""
        return len(self._requests("START", *functions))

    def under_way(self) -> set[str]:
        """The invocations that have not ended."""
        return self._requests("START", *FUNCTIONS) - self._requests("REPORT", *FUNCTIONS) - self._killed

    def kill_lambdas(self) -> None:
        """Kill every execution environment, also those in the middle of an invocation."""
        for process in self._running("lambda_runtime.py"):
            process.kill()
        self._killed |= self.under_way()

    def _requests(self, line: str, *functions: str) -> set[str]:
        """The ids of the requests for which these functions' logs hold a line that begins so."""
        logs = (self.state / "lambda" / "logs" / f"novaburst-scaling-local-{name}.log" for name in functions)
        return {
            entry.split()[2]
            for log in logs
            if log.exists()
            for entry in log.read_text().splitlines()
            if entry.startswith(f"{line} RequestId: ")
        }

    def real_workers(self) -> list[psutil.Process]:
        return self._running("worker_ami.worker")

    def order(self, kind: str) -> None:
        """Let the next worker that starts be of this kind, or all if it is `real`; see fake_worker.py."""
        self.orders.joinpath(kind).touch()

    def configure(self, **settings: str) -> None:
        """Set these variables on the Lambda's functions."""
        functions = self.clients["lambda"]
        for name in (f"novaburst-scaling-local-{function}" for function in FUNCTIONS):
            variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            functions.update_function_configuration(
                FunctionName=name, Environment={"Variables": {**variables, **settings}}
            )

    def only(self, *functions: str) -> None:
        """Switch the triggers of the other functions off, and these on."""
        mapping = self.clients["lambda"].list_event_source_mappings()["EventSourceMappings"][0]
        wanted = "on_wake" in functions
        if (mapping["State"] == "Enabled") != wanted:
            self.clients["lambda"].update_event_source_mapping(UUID=mapping["UUID"], Enabled=wanted)
        rule = self.clients["events"].list_rules()["Rules"][0]["Name"]
        switch = (
            self.clients["events"].enable_rule if "on_schedule" in functions else self.clients["events"].disable_rule
        )
        switch(Name=rule)
        sns = self.clients["sns"]
        subscriptions = [s["SubscriptionArn"] for s in sns.list_subscriptions()["Subscriptions"]]
        if "on_alarm" in functions and not subscriptions:
            arn = self.clients["lambda"].get_function(FunctionName="novaburst-scaling-local-on_alarm")
            topic = sns.list_topics()["Topics"][0]["TopicArn"]
            sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn["Configuration"]["FunctionArn"])
        for subscription in subscriptions if "on_alarm" not in functions else []:
            sns.unsubscribe(SubscriptionArn=subscription)

    def clean(self) -> None:
        """No fault, no work, no instance, all triggers: the state in which every test begins."""
        self.faults.calm()
        for order in self.orders.iterdir():
            order.unlink()
        # Most tests leave no work behind; SQS allows one purge a minute.
        if self.backlog():
            self.clients["sqs"].purge_queue(QueueUrl=self.queue("req-queue").url)
        self.only(*FUNCTIONS)
        # An evaluation that has decided already may still launch.
        until(lambda: not self.under_way(), 20)
        if left := self.faults.instances("pending", "running", "stopping", "stopped"):
            self.clients["ec2"].terminate_instances(InstanceIds=left)
            until(lambda: not self.faults.active() and not self._running("fake_worker.py"), 20)
            # The long poll of a worker that was killed takes messages until its second is over.
            time.sleep(1.2)
        self.faults.watch()

    def drains_and_returns_to_zero(self, seconds: float) -> None:
        """Every message is answered, and then no instance is left."""
        until(lambda: self.backlog() == 0, seconds)
        until(lambda: not self.faults.active(), seconds)

    def _running(self, word: str) -> list[psutil.Process]:
        found = []
        for process in psutil.Process(self._process.pid).children(recursive=True):
            try:
                if any(word in part for part in process.cmdline()):
                    found.append(process)
            except psutil.Error:
                continue
        return found


def until(holds: Callable[[], object], seconds: float) -> float:
    """Wait until it holds; the seconds that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"it did not come to hold within {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - began


def aws_environment(endpoint: str) -> dict[str, str]:
    """What selects the embedded AWS for a process."""
    return {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
