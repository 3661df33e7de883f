"""KEDA's formula for an SQS queue, with its defaults and those of Kubernetes' autoscaler behind it."""

import math
from collections import deque

from simulator.scalers.base import Process, Site
from simulator.scalers.group import Group

# https://keda.sh/docs/latest/reference/scaledobject-spec/: pollingInterval, cooldownPeriod.
_POLLING = 30.0
_COOLDOWN = 300.0
# The autoscaler decides so often, and takes the highest wish of so long before it scales in.
# https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
_SYNC = 15.0
_STABILISATION = 300.0


class Keda:
    """From zero to one by its own polling, from there on by the autoscaler: backlog / target, rounded up."""

    name = "KEDA"
    always_on = False

    def install(self, site: Site) -> None:
        """Begin to poll."""
        site.workers.end_themselves = False
        self._site = site
        self._group = Group(site)
        self._wishes: deque[tuple[float, int]] = deque()
        self._active_at = -math.inf
        site.env.process(self._poll(site.random.uniform(0, _POLLING)))
        site.env.process(self._autoscale(site.random.uniform(0, _SYNC)))

    def woken(self) -> None:
        """It polls."""

    def _poll(self, phase: float) -> Process:
        env = self._site.env
        yield env.timeout(phase)
        while True:
            if self._site.counts().backlog:
                self._active_at = env.now
                self._group.resize(max(1, self._group.size))
            elif env.now - self._active_at >= _COOLDOWN:
                self._group.resize(0)
            yield env.timeout(_POLLING)

    def _autoscale(self, phase: float) -> Process:
        env = self._site.env
        yield env.timeout(phase)
        while True:
            size = self._group.size
            if size:
                wish = max(1, math.ceil(self._site.counts().backlog / self._site.images_per_worker))
                self._wishes.append((env.now, min(wish, self._site.maximum)))
                while self._wishes[0][0] < env.now - _STABILISATION:
                    self._wishes.popleft()
                # Out by at most doubling or four at a time, in never below the wishes of the last minutes.
                out = min(wish, max(2 * size, size + 4))
                self._group.resize(out if out > size else min(size, max(most for _, most in self._wishes)))
            else:
                self._wishes.clear()
            yield env.timeout(_SYNC)
