"""An EC2 whose reads lag, as the real one's do, with client tokens as the real one honours them."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

START = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)


@dataclass
class _Machine:
    id: str
    launched: float
    boots_at: float
    ended_at: float | None = None
    # Every change of a tag with its moment; None is its removal. A stale read sees an earlier one.
    tag_changes: list[tuple[float, str, str | None]] = field(default_factory=list)

    def state(self, now: float) -> str:
        if self.ended_at is not None and now >= self.ended_at:
            return "terminated"
        return "pending" if now < self.boots_at else "running"


class LaggingEc2:
    """Enough of EC2's API for the Lambda: descriptions are as old as `lag` says, launches are idempotent by token.

    Times are seconds since the start. `room` instances fit; beyond that a launch gets a part, or no capacity at all.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.lag = 0.0
        self.boot_seconds: float | None = 25.0
        self.room = 1000
        self.machines: list[_Machine] = []
        self.most = 0
        self._tokens: dict[str, tuple[dict[str, Any], list[_Machine]]] = {}
        self._numbers = itertools.count()

    def active(self) -> list[_Machine]:
        """Pending or running at this moment, in truth."""
        return [machine for machine in self.machines if machine.state(self.now) != "terminated"]

    def end(self, machine: _Machine) -> None:
        """The machine ends itself."""
        machine.ended_at = self.now

    def moment(self) -> datetime:
        """The present as a time with its zone."""
        return START + timedelta(seconds=self.now)

    def get_paginator(self, operation: str) -> Any:
        assert operation == "describe_instances"
        return self

    def paginate(self, **_: object) -> Iterator[Any]:
        seen_at = self.now - self.lag
        for machine in self.machines:
            if machine.launched <= seen_at:
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
        boots_at = float("inf") if self.boot_seconds is None else self.now + self.boot_seconds
        machines = [_Machine(f"i-{next(self._numbers):05}", self.now, boots_at) for _ in range(count)]
        self.machines += machines
        self._tokens[token] = (request, machines)
        self.most = max(self.most, len(self.active()))
        return {"Instances": [self._describe(machine, self.now) for machine in machines]}

    def terminate_instances(self, **request: Any) -> None:
        (machine,) = self._named(request["InstanceIds"])
        if machine.ended_at is None:
            machine.ended_at = self.now

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
            "LaunchTime": START + timedelta(seconds=machine.launched),
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items() if value is not None],
        }


def _refusal(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "as EC2 would"}}, operation)


@pytest.fixture(scope="session")
def new_ec2() -> type[LaggingEc2]:
    """Makes a new simulated EC2: a property test needs one for each example."""
    return LaggingEc2
