"""Whether launches are in vain: instances end as fast as they are launched, and no image is answered. Pure.

A bad AMI would be paid for until the images expire, a minute and more an instance. While the brake is on, one instance
at a time is tried; the first answer takes it off.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from scaling_lambda.departure import LATEST, MINUTE
from scaling_lambda.fleet import Observation

# So many whole minutes, one after the other, must have had images and no answer. A worker boots for less than one, and
# a slow one for three (settings.BOOT_GRACE_SECONDS).
WINDOW = 5
# So many instances must have been launched in them and be gone again. Interruptions of spot instances take a few.
FAILED = 10
# After half an hour without an answer few are enough: no more are tried meanwhile, and EC2 forgets the others.
LONG = timedelta(minutes=30)
FEW = 3
# From one try to the next: what it costs is a minute's bill, and a fleet that is mended goes on so much later.
PROBE_EVERY = timedelta(minutes=3)


@dataclass(frozen=True)
class Brake:
    """Why launches are braked, and whether the next try is not due yet."""

    since: datetime
    ended: int
    waiting: bool

    def __str__(self) -> str:
        return (
            f"braked, as {self.ended} instances launched since {self.since:%H:%M} have ended and no image was answered;"
            f" one is tried every {PROBE_EVERY.total_seconds():.0f} s: see the workers' log and deploy an AMI that"
            " works (docs/runbook.md, Braked), or ask for workers at once by `novaburst scale --workers N`"
        )


def can_brake(observation: Observation) -> bool:
    """Whether the last minutes could show that launches are in vain, which is the reason to ask for them."""
    return observation.counts.backlog > 0 and _ended(observation, observation.at - LONG - LATEST) >= FEW


def brake(observation: Observation) -> Brake | None:
    """The brake; None where it is off, as it is wherever the minutes are not known well enough."""
    since = _silent_since(observation)
    if since is None or not can_brake(observation):
        return None
    ended = _ended(observation, since)
    if ended < (FEW if observation.at - since >= LONG else FAILED):
        return None
    latest = max(instance.launched for instance in observation.instances)
    return Brake(since, ended, waiting=observation.at - latest < PROBE_EVERY)


def _silent_since(observation: Observation) -> datetime | None:
    """The begin of the minutes up to now in each of which there were images and none was answered.

    CloudWatch may have a minute later than the one after it, so the latest may be unknown; none may say otherwise.
    """
    minutes, at = [minute for minute in observation.minutes if minute.deleted is not None], observation.at
    silent = {minute.start for minute in minutes if minute.deleted == 0 and minute.backlog > 0}
    for last in sorted(silent, reverse=True):
        if not timedelta() <= at - (last + MINUTE) <= LATEST:
            continue
        first = last
        while first - MINUTE in silent:
            first -= MINUTE
        if last - first >= (WINDOW - 1) * MINUTE:
            return first if all(minute.start in silent for minute in minutes if minute.start >= first) else None
    return None


def _ended(observation: Observation, since: datetime) -> int:
    """How many were switched on since then and are off again, though nobody sent them away."""
    return sum(i.launched >= since and not i.active and i.sent_away is None for i in observation.instances)
