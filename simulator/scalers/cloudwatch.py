"""Scaling by CloudWatch alone: alarms on metrics that come a minute at a time, and an Auto Scaling group."""

import math
from abc import ABC, abstractmethod
from collections import deque

from simulator.scalers.base import Process, Site
from simulator.scalers.group import Group

_MINUTE = 60.0
# SQS publishes a minute's metric when the minute is over, and CloudWatch evaluates the alarms on it some seconds later.
_PUBLISHED_AFTER = 20.0


class _ByMinute(ABC):
    """Looks at the backlog (its maximum in CloudWatch's minute) once it is published."""

    def install(self, site: Site) -> None:
        """Begin with the metrics of the first minute."""
        site.workers.end_themselves = False
        self._site = site
        self._group = Group(site)
        site.env.process(self._watch(site.random.uniform(0, _MINUTE)))

    def woken(self) -> None:  # noqa: B027 - there is nothing to add to it
        """Only the metrics are looked at."""

    def _watch(self, phase: float) -> Process:
        yield self._site.env.timeout(phase)
        while True:
            backlog = self._site.counts().backlog
            yield self._site.env.timeout(_PUBLISHED_AFTER)
            self._group.resize(self._desired(backlog))
            yield self._site.env.timeout(_MINUTE - _PUBLISHED_AFTER)

    @abstractmethod
    def _desired(self, backlog: int) -> int:
        """How many instances to have, by the backlog that was published."""


class TargetTracking(_ByMinute):
    """Target tracking on the backlog an instance: out after 3 minutes above the target, in after 15 below 90 % of it.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-using-sqs-queue.html and the alarms that target tracking
    makes. A group without instances has no backlog an instance; it is taken as one that has one, so that it can start.
    """

    name = "target tracking"
    always_on = False

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=15)

    def _desired(self, backlog: int) -> int:
        size, target = self._group.size, self._site.images_per_worker
        self._last.append(backlog / max(size, 1))
        recent = list(self._last)
        wanted = math.ceil(backlog / target)
        if len(recent) >= 3 and min(recent[-3:]) > target:
            return max(size, wanted)
        if size == 0 and len(recent) >= 3 and min(recent[-3:]) > 0:
            return 1
        if len(recent) == 15 and max(recent) < 0.9 * target:
            # One at a time, and the last one only when there is nothing to do.
            return max(size - 1, 1 if backlog else 0, wanted)
        return size


class AlarmSteps(_ByMinute):
    """Step scaling: an alarm on a backlog adds instances by its size, one on none for two minutes takes all away."""

    name = "alarm steps"
    always_on = False
    # Of the backlog in shares of an instance: from so many on, add so many.
    _STEPS = ((10, 10), (3, 4), (0, 1))

    def __init__(self) -> None:
        self._empty_minutes = 0

    def _desired(self, backlog: int) -> int:
        size = self._group.size
        if backlog == 0:
            self._empty_minutes += 1
            return 0 if self._empty_minutes >= 2 else size
        self._empty_minutes = 0
        shares = backlog / self._site.images_per_worker - size
        return size + next((add for least, add in self._STEPS if shares > least), 1 if size == 0 else 0)
