"""The Lambda's settings, from `NOVABURST_*` variables; a wrong value is refused at once, with the variable's name."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Self, TypeVar

from scaling_lambda.cost import Prices
from scaling_lambda.launch import Places
from scaling_lambda.policy import HARD_MAXIMUM, Limits, Policy
from scaling_lambda.reserve import STANDBY_MAX_AGE, Reserve

T = TypeVar("T")

TRIGGERS = ("alarm", "schedule", "wake")
# Measured end to end with Pillow and ONNX Runtime: 57 images a second and core, two cores an instance (c6i.large).
IMAGES_PER_SECOND = 114.0
# How long a user waits without complaint, chosen by the model (docs/scaling.md): less than the boot before it. AWS's
# "acceptable backlog per instance" is this wait times the speed above:
# https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-using-sqs-queue.html
TOLERABLE_WAIT_SECONDS = 20.0
# The workers' own idle time (infra/template.yaml's IdleSeconds). The net must come later than the worker itself.
IDLE_SECONDS = 30
IDLE_MARGIN_SECONDS = 60
# An image every few seconds is seldom in flight when the Lambda looks: only a quarter of an hour of looks without any
# tells a worker that hangs from one that works now and then (`python -m bench policies`).
IDLE_CONFIRM_SECONDS = 900
# From launch to the first message: about 40 s for an AMI read from its snapshot; thrice that and a bit is a failure.
BOOT_GRACE_SECONDS = 180
# Nothing here runs for a day: such an instance is forgotten rather than busy.
MAX_AGE_SECONDS = 24 * 3600
# The schedule fires each minute and its evaluation takes a second or two: so long it looks again in between.
WATCH_SECONDS = 50
POLL_SECONDS = 5
# US dollars an instance hour, Linux, on demand, us-east-1: https://aws.amazon.com/ec2/pricing/on-demand/, compared in
# November 2026 with price tables that others publish. Other regions and contracts differ: NOVABURST_PRICE_PER_HOUR.
PRICES_PER_HOUR = {
    "c5.large": 0.085,
    "c5.xlarge": 0.17,
    "c5a.large": 0.077,
    "c6a.large": 0.0765,
    "c6a.xlarge": 0.153,
    "c6i.large": 0.085,
    "c6i.xlarge": 0.17,
    "c7i.large": 0.08925,
    "c7i.xlarge": 0.1785,
    "m5.large": 0.096,
    "m6i.large": 0.096,
    "t3.medium": 0.0416,
    "t3.large": 0.0832,
}
# The launch template's own type unless its stack was given another (infra/template.yaml's InstanceType).
INSTANCE_TYPE = "c6i.large"

_PREFIX = re.compile(r"[a-z0-9][a-z0-9-]{1,40}")


class SettingsError(ValueError):
    """A variable whose value is wrong; the text names it and says what it must be."""


@dataclass(frozen=True)
class Settings:
    """Names, bounds and triggers of one deployment; times in seconds where the name says so."""

    prefix: str
    limits: Limits
    places: Places
    triggers: frozenset[str]
    watch_seconds: int
    poll_seconds: int

    @classmethod
    def load(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the environment.

        Raises:
            SettingsError: a value is wrong.
        """
        read = _Reader(environment)
        prefix = read.matching("PREFIX", "novaburst", _PREFIX)
        wait = read.number("TOLERABLE_WAIT_SECONDS", TOLERABLE_WAIT_SECONDS, 0.1, 3600)
        speed = read.number("IMAGES_PER_SECOND", IMAGES_PER_SECOND, 0.01, 100_000)
        maximum = read.whole("MAX_WORKERS", HARD_MAXIMUM, 0, HARD_MAXIMUM)
        types = read.items("INSTANCE_TYPES", re.compile(r"[a-z0-9-]+\.[a-z0-9-]+"))
        minimum = read.whole("MIN_WORKERS", 0, 0, maximum)
        idle = read.whole("IDLE_SECONDS", IDLE_SECONDS, 1, 3600)
        limits = Limits(
            minimum=minimum,
            maximum=maximum,
            images_per_worker=read.whole("IMAGES_PER_WORKER", max(1, round(wait * speed)), 1, 1_000_000),
            images_per_second=speed,
            boot_grace=timedelta(seconds=read.whole("BOOT_GRACE_SECONDS", BOOT_GRACE_SECONDS, 10, 3600)),
            # How long a fault must last before it costs an instance; the worker's own exit comes first.
            confirm_after=timedelta(seconds=read.whole("CONFIRM_SECONDS", idle + IDLE_MARGIN_SECONDS, idle + 1, 7200)),
            idle_confirm_after=timedelta(
                seconds=read.whole("IDLE_CONFIRM_SECONDS", max(IDLE_CONFIRM_SECONDS, idle + 1), idle + 1, 7200)
            ),
            max_age=timedelta(seconds=read.whole("MAX_AGE_SECONDS", MAX_AGE_SECONDS, 600, 30 * 24 * 3600)),
            policy=Policy(read.choice("POLICY", Policy.PROPORTIONAL, tuple(Policy))),
            reserve=Reserve(
                warm=minimum,
                standby=read.whole("STANDBY", 0, 0, HARD_MAXIMUM),
                standby_max_age=timedelta(
                    seconds=read.whole(
                        "STANDBY_MAX_AGE_SECONDS", int(STANDBY_MAX_AGE.total_seconds()), 600, 90 * 24 * 3600
                    )
                ),
            ),
            prices=Prices(
                by_type=PRICES_PER_HOUR,
                launched_type=next(iter(types), INSTANCE_TYPE),
                # 0 means the table.
                override=read.number("PRICE_PER_HOUR", 0.0, 0, 1000) or None,
            ),
        )
        poll = read.whole("POLL_SECONDS", POLL_SECONDS, 1, 60)
        return cls(
            prefix=prefix,
            limits=limits,
            places=Places(
                launch_template=f"{prefix}-worker",
                fleet=prefix,
                instance_types=types,
                subnets=read.items("SUBNET_IDS", re.compile(r"subnet-[0-9a-f]+")),
                spot=read.choice("SPOT", "false", ("false", "true")) == "true",
            ),
            triggers=frozenset(read.choices("TRIGGERS", TRIGGERS)),
            # 0 means that the schedule looks once; Lambda's timeout is 60 s.
            watch_seconds=read.whole("WATCH_SECONDS", WATCH_SECONDS, 0, 50),
            poll_seconds=poll,
        )

    @property
    def request_queue(self) -> str:
        """The queue of images to classify."""
        return f"{self.prefix}-req-queue"

    @property
    def wake_queue(self) -> str:
        """The queue whose messages mean that work was queued just now."""
        return f"{self.prefix}-wake-queue"

    @property
    def alarm_topic(self) -> str:
        """The topic to which every alarm is published."""
        return f"{self.prefix}-alarms"


class _Reader:
    """Typed reads of `NOVABURST_*`; an empty variable counts as one that is not set."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        return self._read(name, default, int, lambda n: least <= n <= most, f"a whole number from {least} to {most}")

    def number(self, name: str, default: float, least: float, most: float) -> float:
        return self._read(name, default, float, lambda n: least <= n <= most, f"a number from {least:g} to {most:g}")

    def matching(self, name: str, default: str, pattern: re.Pattern[str]) -> str:
        return self._read(name, default, str, lambda s: pattern.fullmatch(s) is not None, f"like {pattern.pattern}")

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        return self._read(name, default, str, lambda s: s in allowed, f"one of {', '.join(allowed)}")

    def choices(self, name: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
        words = f"any of {', '.join(allowed)}, separated by commas"
        return self._read(name, allowed, _split, lambda items: set(items) <= set(allowed), words)

    def items(self, name: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
        words = f"a list, separated by commas, each like {pattern.pattern}"
        return self._read(name, (), _split, lambda items: all(pattern.fullmatch(item) for item in items), words)

    def _read(self, name: str, default: T, parse: Callable[[str], T], good: Callable[[T], bool], words: str) -> T:
        variable = f"NOVABURST_{name}"
        text = self._environment.get(variable, "").strip()
        if not text:
            return default
        try:
            value = parse(text)
        except ValueError as error:
            raise SettingsError(f"{variable}: must be {words} (got {text!r})") from error
        if not good(value):
            raise SettingsError(f"{variable}: must be {words} (got {text!r})")
        return value


def _split(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())
