"""Fires EventBridge rules with a `rate(...)` schedule."""

import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from local_cloud.backends import Backends, ScheduledRule
from local_cloud.lambda_host import LambdaHost

log = logging.getLogger(__name__)

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNIT_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
_LOOK_SECONDS = 0.5


class ScheduleError(ValueError):
    """A schedule expression that the embedded cloud does not know."""


def period_seconds(expression: str) -> int:
    """The seconds between two firings of `rate(VALUE UNIT)`.

    Raises:
        ScheduleError: any other expression; `cron(...)` is not done here.
    """
    matched = _RATE.fullmatch(expression.strip())
    if matched is None or int(matched[1]) == 0:
        raise ScheduleError(f"{expression}: only rate(N minutes|hours|days) fires in the embedded cloud")
    return int(matched[1]) * _UNIT_SECONDS[matched[2]]


class Timetable:
    """When each rule is due next: first one period after it was first seen, then every period.

    A minute lasts `minute_seconds`; tests shorten it.
    """

    def __init__(self, minute_seconds: float = 60) -> None:
        self._pace = minute_seconds / 60
        self._due: dict[tuple[str, str], float] = {}
        self._refused: set[str] = set()

    def due(self, rules: Iterable[ScheduledRule], now: float) -> list[ScheduledRule]:
        """The rules that fire at `now` (seconds); a rule that is gone, disabled or changed begins anew."""
        known, self._due = self._due, {}
        firing = []
        for rule in rules:
            try:
                period = period_seconds(rule.expression) * self._pace
            except ScheduleError as error:
                if rule.arn not in self._refused:
                    self._refused.add(rule.arn)
                    log.warning("rule %s never fires: %s", rule.arn, error)
                continue
            key = (rule.arn, rule.expression)
            at = known.get(key, now + period)
            if at <= now:
                firing.append(rule)
                # Firings that were missed, by a suspended machine say, are not made up for.
                at += ((now - at) // period + 1) * period
            self._due[key] = at
        return firing


class Schedule:
    """Invokes the functions of the rules that are due."""

    def __init__(self, backends: Backends, host: LambdaHost, minute_seconds: float = 60) -> None:
        self._backends = backends
        self._host = host
        self._timetable = Timetable(minute_seconds)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedule")

    def start(self) -> None:
        """Begin to fire."""
        self._thread.start()

    def stop(self) -> None:
        """Fire no more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            try:
                for rule in self._timetable.due(self._backends.scheduled_rules(), time.time()):
                    self._fire(rule)
            except Exception:
                log.exception("schedule")

    def _fire(self, rule: ScheduledRule) -> None:
        event = json.dumps(scheduled_event(rule.arn, datetime.now(UTC)))
        for arn, fixed_input in rule.targets:
            function = self._backends.function(arn)
            if function is None:
                log.warning("rule %s: its target %s is not deployed", rule.arn, arn)
                continue
            self._host.invoke_later(function, fixed_input or event)


def scheduled_event(rule_arn: str, moment: datetime) -> dict[str, Any]:
    """The event that EventBridge sends for a scheduled rule."""
    _, _, _, region, account, _ = rule_arn.split(":", 5)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [rule_arn],
        "detail": {},
    }
