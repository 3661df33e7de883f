"""Brings EC2's instances to life: boots the pending, runs a worker in each, and ends what EC2 ends."""

import itertools
import logging
import os
import threading
import time
from collections.abc import Callable

from local_cloud.backends import Backends
from local_cloud.instance import InstanceView
from local_cloud.machine import Machine, Site

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.1


class InstanceHost:
    """Follows the instances that EC2 knows.

    Args:
        backends: where the instances are.
        site: what their machines have in common.
        boot_seconds: how long a new instance stays pending.
        start_seconds: how long one that was stopped stays pending once it is started again: its volume is warm.
        say: told one line when an instance has booted or powered itself off.
    """

    def __init__(
        self,
        backends: Backends,
        site: Site,
        say: Callable[[str], None],
        *,
        boot_seconds: float,
        start_seconds: float,
    ) -> None:
        self._backends = backends
        self._site = site
        self._boot_seconds = boot_seconds
        self._start_seconds = start_seconds
        self._say = say
        self._stopped_before: set[str] = set()
        self._booted_at: dict[str, float] = {}
        self._machines: dict[str, Machine] = {}
        self._views: dict[str, InstanceView] = {}
        self._cores = itertools.cycle(sorted(os.sched_getaffinity(0)))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="instance-host")

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Shut every machine down, with the same grace as a termination, and return when nothing runs."""
        self._stopping.set()
        self._thread.join()
        remaining = list(self._machines.values())
        while remaining := [machine for machine in remaining if not machine.shut_down(time.monotonic())]:
            time.sleep(_LOOK_SECONDS / 2)

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            try:
                self._look(time.monotonic())
            except Exception:
                log.exception("instance host")

    def _look(self, now: float) -> None:
        self._views = {view.id: view for view in self._backends.instances()}
        for view in self._views.values():
            try:
                self._follow(view, now)
            except Exception:
                log.exception("instance %s", view.id)

    def _follow(self, view: InstanceView, now: float) -> None:
        match view.state:
            case "pending":
                delay = self._start_seconds if view.id in self._stopped_before else self._boot_seconds
                if now >= self._booted_at.setdefault(view.id, now + delay):
                    self._boot(view, now)
            case "running" if view.id not in self._machines:
                self._boot(view, now)  # RebootInstances on a pending one: moto calls it running at once
            case "running":
                reason = self._machines[view.id].tick(now)
                if reason is not None:
                    self._say(f"instance {view.id} powered off ({reason.value})")
                    self._backends.power_off(view.id)
            case "shutting-down" | "stopping":
                self._booted_at.pop(view.id, None)
                machine = self._machines.get(view.id)
                if machine is not None and not machine.shut_down(now):
                    return
                self._machines.pop(view.id, None)
                if view.state == "stopping":
                    self._stopped_before.add(view.id)
                    self._backends.set_stopped(view.id)
                    self._say(f"instance {view.id} stopped")
                else:
                    self._backends.set_terminated(view.id)
                    self._say(f"instance {view.id} terminated")

    def _boot(self, view: InstanceView, now: float) -> None:
        self._booted_at.pop(view.id, None)
        self._machines[view.id] = Machine(self._site, lambda: self._views[view.id], next(self._cores))
        self._machines[view.id].boot(now)
        self._backends.set_running(view.id)
        self._say(f"instance {view.id} booted")
