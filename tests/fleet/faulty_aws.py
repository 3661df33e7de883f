"""The embedded AWS with the faults that a test asks for: `python faulty_aws.py FAULTS_PORT <options of the server>`.

The tests' process reaches `Faults` over a manager on loopback; the embedded AWS itself knows of none of this.
"""

import copy
import random
import sys
import threading
import time
from collections import defaultdict
from multiprocessing.managers import BaseManager
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import Instance, InstanceState
from moto.ec2.responses.instances import InstanceResponse

from local_cloud import mends, server
from local_cloud.instance import InstanceView
from local_cloud.instance_host import InstanceHost
from local_cloud.mends import instances
from local_cloud.mends.patching import replace

AUTHKEY = b"fleet"
_ACTIVE = ("pending", "running")


class Faults:
    """What goes wrong at present, and a record of the fleet that no fault blurs; times in seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._history: dict[str, list[tuple[float, tuple[int, str]]]] = defaultdict(list)
        self._launched: list[tuple[float, list[str]]] = []
        self._since = 0.0
        self.calm()

    def calm(self) -> None:
        """End every fault."""
        self._lag = self._scatter = 0.0
        self._refusals: dict[str, list[str]] = {}
        self._holds: dict[str, float] = {}
        self._boots_to_break = 0
        self._unbootable: set[str] = set()

    def watch(self) -> None:
        """Begin the record anew: launches and the peak count from here on."""
        with self._lock:
            self._since = time.time()

    def lag(self, seconds: float, scatter: float = 0) -> None:
        """Let DescribeInstances answer with the fleet as it was that long ago, and up to `scatter` longer ago for each.

        With some scatter a launch is seen in part, and the next read may see less of it.
        """
        self._lag, self._scatter = seconds, scatter

    def refuse(self, operation: str, *codes: str) -> None:
        """Answer the operation's next calls with these error codes, in turn."""
        self._refusals[operation] = list(codes)

    def refusals_left(self, operation: str) -> int:
        """How many of those answers were not given yet."""
        return len(self._refusals.get(operation, []))

    def hold(self, operation: str, seconds: float) -> None:
        """Let every answer of the operation come that much later than its effect."""
        self._holds[operation] = seconds

    def break_boots(self, count: int) -> None:
        """Let the next `count` instances stay pending until the faults are over."""
        self._boots_to_break = count

    def launches(self) -> list[tuple[float, list[str]]]:
        """The launches since `watch`: the time of each, and the ids of its instances."""
        with self._lock:
            return [launch for launch in self._launched if launch[0] >= self._since]

    def instances(self, *states: str) -> list[str]:
        """The ids of the instances that are in one of these states in truth."""
        with self._lock:
            return [name for name, changes in self._history.items() if changes[-1][1][1] in states]

    def active(self) -> list[str]:
        """The ids of the instances that are pending or running in truth."""
        return self.instances(*_ACTIVE)

    def peak(self) -> int:
        """The most instances that were pending or running at the same moment since `watch`."""
        with self._lock:
            changes = sorted(
                (moment, name, state[1] in _ACTIVE)
                for name, history in self._history.items()
                for moment, state in history
            )
        active: set[str] = set()
        most = 0
        for moment, name, is_active in changes:
            (active.add if is_active else active.discard)(name)
            most = max(most, len(active)) if moment >= self._since else most
        return most

    # What the embedded AWS asks.

    def changed(self, instance: Instance, state: tuple[int, str]) -> None:
        with self._lock:
            if instance.id not in self._history and self._boots_to_break > 0:
                self._boots_to_break -= 1
                self._unbootable.add(instance.id)
            self._history[instance.id].append((time.time(), state))

    def launched(self, ids: list[str]) -> None:
        with self._lock:
            known = {name for _, names in self._launched for name in names}
            if new := [name for name in ids if name not in known]:
                self._launched.append((time.time(), new))

    def boots(self, name: str) -> bool:
        return name not in self._unbootable

    def meet(self, operation: str) -> None:
        with self._lock:
            code = self._refusals[operation].pop(0) if self._refusals.get(operation) else None
        if code is not None:
            raise EC2ClientError(code, f"{operation} is refused by the test")

    def delay(self, operation: str) -> None:
        time.sleep(self._holds.get(operation, 0))

    def as_seen(self, instance: Instance) -> Instance | None:
        """The instance as a reader sees it, or None where it does not see it yet."""
        if not self._lag and not self._scatter:
            return instance
        at = time.time() - self._lag - random.uniform(0, self._scatter)
        with self._lock:
            states = [state for moment, state in self._history[instance.id] if moment <= at]
        if not states:
            return None
        seen = copy.copy(instance)
        seen._state = InstanceState(name=states[-1][1], code=states[-1][0])
        return seen


def install(faults: Faults) -> None:
    """Let the embedded EC2, already mended, meet the faults."""
    set_state = instances.set_state

    def recorded(instance: Instance, state: tuple[int, str]) -> None:
        set_state(instance, state)
        faults.changed(instance, state)

    instances.set_state = recorded

    @replace(InstanceResponse, "run_instances")
    def run_instances(original: Any, self: InstanceResponse) -> Any:
        faults.meet("RunInstances")
        answer = original(self)
        faults.launched([instance.id for instance in answer.result.instances])
        faults.delay("RunInstances")
        return answer

    @replace(InstanceResponse, "terminate_instances")
    def terminate_instances(original: Any, self: InstanceResponse) -> Any:
        faults.meet("TerminateInstances")
        return original(self)

    @replace(InstanceResponse, "describe_instances")
    def describe_instances(original: Any, self: InstanceResponse) -> Any:
        answer = original(self)
        seen = []
        for reservation in answer.result["Reservations"]:
            shown = copy.copy(reservation)
            shown.instances = [one for one in map(faults.as_seen, reservation.instances) if one is not None]
            seen += [shown] if shown.instances else []
        answer.result["Reservations"] = seen
        return answer

    @replace(InstanceHost, "_follow")
    def follow(original: Any, self: InstanceHost, view: InstanceView, now: float) -> None:
        if view.state != "pending" or faults.boots(view.id):
            original(self, view, now)


class Manager(BaseManager):
    """The door to the one `Faults` of a process."""


def main() -> None:
    """Run the embedded AWS with its faults until SIGTERM or SIGINT."""
    faults = Faults()
    apply = mends.apply

    def apply_and_install(host: Any) -> None:
        apply(host)
        install(faults)

    mends.apply = apply_and_install
    Manager.register("faults", callable=lambda: faults)
    manager = Manager(("127.0.0.1", int(sys.argv.pop(1))), AUTHKEY)
    threading.Thread(target=manager.get_server().serve_forever, daemon=True).start()
    server.main()


if __name__ == "__main__":
    main()
