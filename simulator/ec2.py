"""Enough of EC2's API for the Lambda's own code: launches idempotent by token, and reads as old as they may be."""

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

# The model's second 0. In the middle of an hour, as any hour is to the client tokens.
START = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
# How long a terminated instance is still described, in seconds: about an hour, says EC2's user guide.
_REMEMBERED_SECONDS = 3600.0


@dataclass
class Machine:
    """One instance; times in seconds from the model's start."""

    id: str
    # From each switching on until it runs: the first is the boot, later ones starts on a warm volume.
    boot_seconds: float
    start_seconds: float
    # When it was switched on and off, and how: "on", "stopped" or "terminated". A stale read sees an earlier one.
    changes: list[tuple[float, str]]
    # Every change of a tag with its moment; None is its removal.
    tag_changes: list[tuple[float, str, str | None]] = field(default_factory=list)
    on_shutdown: str = "terminate"
    # Its place in its launch, from 0 on.
    place: int = 0

    @property
    def launched(self) -> float:
        """When it was launched."""
        return self.changes[0][0]

    @property
    def ended_at(self) -> float | None:
        """When it was terminated, if it was."""
        return next((at for at, change in self.changes if change == "terminated"), None)

    def started(self, now: float) -> float:
        """When it was last switched on."""
        return max(at for at, change in self.changes if change == "on" and at <= now)

    def runs_at(self, now: float) -> float:
        """When the latest boot or start is over."""
        first = sum(change == "on" for at, change in self.changes if at <= now) == 1
        return self.started(now) + (self.boot_seconds if first else self.start_seconds)

    def tagged(self, key: str, at: float) -> bool:
        """Whether it has that tag at a moment."""
        return next((tag[2] is not None for tag in reversed(self.tag_changes) if tag[1] == key and tag[0] <= at), False)

    def state(self, now: float) -> str:
        """EC2's word for what it is at a moment."""
        seen = [change for at, change in self.changes if at <= now]
        if "terminated" in seen or seen[-1] != "on":
            return "terminated" if "terminated" in seen else seen[-1]
        return "pending" if now < self.runs_at(now) else "running"


class Ec2:
    """One account's instances. `room` instances fit; beyond that a launch gets a part, or no capacity at all.

    Args:
        clock: the present, in seconds from the model's start.
        boot_seconds: drawn for each new instance; infinity for one that never boots.
        start_seconds: from a start until a stopped instance runs.
    """

    def __init__(
        self, clock: Callable[[], float], boot_seconds: Callable[[], float], *, start_seconds: float = 5.0
    ) -> None:
        self._clock = clock
        self._boot_seconds = boot_seconds
        self._start_seconds = start_seconds
        self.lag = 0.0
        # How much longer it takes until the last of a launch's instances is seen; who that is, is each reader's luck.
        self.scatter = 0.0
        self.luck = random.Random(0)  # noqa: S311 - a model's chance
        self.room = 1000
        self.machines: list[Machine] = []
        # Those that ended so long ago that EC2 no longer describes them.
        self.past: list[Machine] = []
        self.most = 0
        # Told each machine that was switched on, and each that was stopped or terminated.
        self.on_start: Callable[[Machine], None] = lambda _: None
        self.on_end: Callable[[Machine], None] = lambda _: None
        # Asked at each launch whether there is no capacity at this moment.
        self.is_short: Callable[[], bool] = lambda: False
        self._tokens: dict[str, tuple[dict[str, Any], list[Machine]]] = {}
        self._numbers = itertools.count()

    def active(self) -> list[Machine]:
        """Pending or running at this moment, in truth."""
        return [machine for machine in self.machines if machine.changes[-1][1] == "on"]

    def stopped(self) -> list[Machine]:
        """Stopped at this moment, in truth."""
        return [machine for machine in self.machines if machine.changes[-1][1] == "stopped"]

    def moment(self) -> datetime:
        """The present as a time with its zone."""
        return START + timedelta(seconds=self._clock())

    def shut_down(self, machine: Machine) -> None:
        """The machine powers itself off; what becomes of it is what it was told to."""
        self._end(machine, "stopped" if machine.on_shutdown == "stop" else "terminated")

    def interrupt(self, machine: Machine) -> None:
        """EC2 takes a spot instance back."""
        self._end(machine, "terminated")

    # The API, as boto3's client has it.

    def get_paginator(self, operation: str) -> "Ec2":
        """The paginator of DescribeInstances, which is this object itself."""
        if operation != "describe_instances":
            raise NotImplementedError(operation)
        return self

    def paginate(self, **_: object) -> Iterator[Any]:
        """DescribeInstances: a page an instance, as it was some time ago."""
        now = self._clock()
        seen_at = now - self.lag
        self._forget(now)
        for machine in self.machines:
            if machine.launched <= seen_at - self.scatter * self.luck.random():
                yield {"Reservations": [{"Instances": [_describe(machine, seen_at)]}]}

    def run_instances(self, **request: Any) -> Any:
        """RunInstances: MinCount is 1; a token that was used gets the same instances, or is refused.

        A launch that is refused for want of capacity has used its token as well.
        """
        now, token = self._clock(), request.pop("ClientToken")
        if token in self._tokens:
            first, machines = self._tokens[token]
            if first != request:
                raise _refusal("IdempotentParameterMismatch", "RunInstances")
            if machines and all(machine.ended_at is not None for machine in machines):
                raise _refusal("IdempotentInstanceTerminated", "RunInstances")
            if machines:
                return {"Instances": [_describe(machine, now) for machine in machines]}
        self._tokens[token] = (request, [])
        count = 0 if self.is_short() else min(request["MaxCount"], self.room - len(self.active()))
        if count <= 0:
            raise _refusal("InsufficientInstanceCapacity", "RunInstances")
        (tags,) = (spec["Tags"] for spec in request["TagSpecifications"] if spec["ResourceType"] == "instance")
        machines = [
            Machine(
                f"i-{next(self._numbers):05}",
                self._boot_seconds(),
                self._start_seconds,
                changes=[(now, "on")],
                tag_changes=[(now, tag["Key"], tag["Value"]) for tag in tags],
                place=place,
            )
            for place in range(count)
        ]
        self.machines += machines
        self._tokens[token] = (request, machines)
        self._started(machines)
        return {"Instances": [_describe(machine, now) for machine in machines]}

    def terminate_instances(self, **request: Any) -> None:
        """TerminateInstances; those that are terminated already stay so."""
        for machine in self._named(request["InstanceIds"]):
            if machine.ended_at is None:
                self._end(machine, "terminated")

    def start_instances(self, **request: Any) -> None:
        """StartInstances, which fails as a whole."""
        machines = self._named(request["InstanceIds"])
        if any(machine.ended_at is not None for machine in machines):
            raise _refusal("IncorrectInstanceState", "StartInstances")
        stopped = [machine for machine in machines if machine.changes[-1][1] == "stopped"]
        if len(stopped) > self.room - len(self.active()):
            raise _refusal("InsufficientInstanceCapacity", "StartInstances")
        for machine in stopped:
            machine.changes.append((self._clock(), "on"))
        self._started(stopped)

    def modify_instance_attribute(self, **request: Any) -> None:
        """ModifyInstanceAttribute, of the one attribute that says what a shutdown means."""
        (machine,) = self._named([request["InstanceId"]])
        if request["Attribute"] != "instanceInitiatedShutdownBehavior":
            raise NotImplementedError(request["Attribute"])
        machine.on_shutdown = request["Value"]

    def create_tags(self, **request: Any) -> None:
        """CreateTags on instances."""
        for machine in self._named(request["Resources"]):
            machine.tag_changes += [(self._clock(), tag["Key"], tag["Value"]) for tag in request["Tags"]]

    def delete_tags(self, **request: Any) -> None:
        """DeleteTags on instances."""
        for machine in self._named(request["Resources"]):
            machine.tag_changes += [(self._clock(), tag["Key"], None) for tag in request["Tags"]]

    def _forget(self, now: float) -> None:
        kept: list[Machine] = []
        for machine in self.machines:
            ended = machine.ended_at
            (kept if ended is None or ended > now - _REMEMBERED_SECONDS else self.past).append(machine)
        self.machines = kept

    def _named(self, ids: list[str]) -> list[Machine]:
        return [machine for machine in self.machines if machine.id in ids]

    def _started(self, machines: list[Machine]) -> None:
        self.most = max(self.most, len(self.active()))
        for machine in machines:
            self.on_start(machine)

    def _end(self, machine: Machine, how: str) -> None:
        machine.changes.append((self._clock(), how))
        self.on_end(machine)


def _describe(machine: Machine, at: float) -> dict[str, Any]:
    tags = {key: value for since, key, value in machine.tag_changes if since <= at}
    return {
        "InstanceId": machine.id,
        "State": {"Name": machine.state(at)},
        "LaunchTime": START + timedelta(seconds=machine.started(at)),
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items() if value is not None],
    }


def _refusal(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "as EC2 would"}}, operation)
