"""An EC2 whose reads lag, as the real one's do, with client tokens as the real one honours them."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

START = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)


_RESTART_SECONDS = 5.0


@dataclass
class _Machine:
    id: str
    boot_seconds: float
    # When it was switched on and off, and how: "on", "stopped" or "terminated". A stale read sees an earlier one.
    changes: list[tuple[float, str]]
    # Every change of a tag with its moment; None is its removal.
    tag_changes: list[tuple[float, str, str | None]] = field(default_factory=list)
    on_shutdown: str = "terminate"

    @property
    def launched(self) -> float:
        return self.changes[0][0]

    @property
    def ended_at(self) -> float | None:
        return next((at for at, change in self.changes if change == "terminated"), None)

    def started(self, now: float) -> float:
        return max(at for at, change in self.changes if change == "on" and at <= now)

    def state(self, now: float) -> str:
        seen = [change for at, change in self.changes if at <= now]
        if "terminated" in seen or seen[-1] != "on":
            return "terminated" if "terminated" in seen else seen[-1]
        boots_at = self.started(now) + (self.boot_seconds if len(seen) == 1 else _RESTART_SECONDS)
        return "pending" if now < boots_at else "running"


class LaggingEc2:
    """Enough of EC2's API for the Lambda: descriptions are as old as `lag` says, launches are idempotent by token.

    Times are seconds since the start. `room` instances fit; beyond that a launch gets a part, or no capacity at all.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.lag = 0.0
        # How much longer it takes until the last of a launch's instances is seen; who that is, is each reader's luck.
        self.scatter = 0.0
        self.luck = random.Random(0)
        self.boot_seconds: float | None = 25.0
        self.room = 1000
        self.machines: list[_Machine] = []
        self.most = 0
        self._tokens: dict[str, tuple[dict[str, Any], list[_Machine]]] = {}
        self._numbers = itertools.count()

    def active(self) -> list[_Machine]:
        """Pending or running at this moment, in truth."""
        return [machine for machine in self.machines if machine.state(self.now) in {"pending", "running"}]

    def stopped(self) -> list[_Machine]:
        """Stopped at this moment, in truth."""
        return [machine for machine in self.machines if machine.state(self.now) == "stopped"]

    def end(self, machine: _Machine) -> None:
        """The machine shuts itself down."""
        machine.changes.append((self.now, "stopped" if machine.on_shutdown == "stop" else "terminated"))

    def moment(self) -> datetime:
        """The present as a time with its zone."""
        return START + timedelta(seconds=self.now)

    def get_paginator(self, operation: str) -> Any:
        assert operation == "describe_instances"
        return self

    def paginate(self, **_: object) -> Iterator[Any]:
        seen_at = self.now - self.lag
        for machine in self.machines:
            if machine.launched <= seen_at - self.scatter * self.luck.random():
                yield {"Reservations": [{"Instances": [self._describe(machine, seen_at)]}]}

    def run_instances(self, **request: Any) -> Any:
        token = request.pop("ClientToken")
        if token in self._tokens:
            first, machines = self._tokens[token]
            if first != request:
                raise _refusal("IdempotentParameterMismatch", "RunInstances")
            if all(machine.state(self.now) == "terminated" for machine in machines):
                raise _refusal("IdempotentInstanceTerminated", "RunInstances")
            return {"Instances": [self._describe(machine, self.now) for machine in machines]}
        count = min(request["MaxCount"], self.room - len(self.active()))
        if count <= 0:
            raise _refusal("InsufficientInstanceCapacity", "RunInstances")
        boot_seconds = float("inf") if self.boot_seconds is None else self.boot_seconds
        machines = [_Machine(f"i-{next(self._numbers):05}", boot_seconds, [(self.now, "on")]) for _ in range(count)]
        (tags,) = (spec["Tags"] for spec in request["TagSpecifications"] if spec["ResourceType"] == "instance")
        for machine in machines:
            machine.tag_changes += [(self.now, tag["Key"], tag["Value"]) for tag in tags]
        self.machines += machines
        self._tokens[token] = (request, machines)
        self.most = max(self.most, len(self.active()))
        return {"Instances": [self._describe(machine, self.now) for machine in machines]}

    def terminate_instances(self, **request: Any) -> None:
        (machine,) = self._named(request["InstanceIds"])
        machine.changes.append((self.now, "terminated"))

    def start_instances(self, **request: Any) -> None:
        machines = self._named(request["InstanceIds"])
        stopped = [machine for machine in machines if machine.state(self.now) == "stopped"]
        if any(machine.state(self.now) == "terminated" for machine in machines):
            raise _refusal("IncorrectInstanceState", "StartInstances")
        if len(stopped) > self.room - len(self.active()):
            raise _refusal("InsufficientInstanceCapacity", "StartInstances")
        for machine in stopped:
            machine.changes.append((self.now, "on"))
        self.most = max(self.most, len(self.active()))

    def modify_instance_attribute(self, **request: Any) -> None:
        (machine,) = self._named([request["InstanceId"]])
        assert request["Attribute"] == "instanceInitiatedShutdownBehavior"
        machine.on_shutdown = request["Value"]

    def create_tags(self, **request: Any) -> None:
        (machine,) = self._named(request["Resources"])
        machine.tag_changes += [(self.now, tag["Key"], tag["Value"]) for tag in request["Tags"]]

    def delete_tags(self, **request: Any) -> None:
        (machine,) = self._named(request["Resources"])
        machine.tag_changes += [(self.now, tag["Key"], None) for tag in request["Tags"]]

    def _named(self, ids: list[str]) -> list[_Machine]:
        return [machine for machine in self.machines if machine.id in ids]

    def _describe(self, machine: _Machine, at: float) -> Any:
        tags = {key: value for since, key, value in machine.tag_changes if since <= at}
        return {
            "InstanceId": machine.id,
            "State": {"Name": machine.state(at)},
            "LaunchTime": START + timedelta(seconds=machine.started(at)),
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items() if value is not None],
        }


def _refusal(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "as EC2 would"}}, operation)


@pytest.fixture(scope="session")
def new_ec2() -> type[LaggingEc2]:
    """Makes a new simulated EC2: a property test needs one for each example."""
    return LaggingEc2
