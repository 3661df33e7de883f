"""What goes wrong, and how: pure functions of a seed, so that a run of faults can be had again."""

import random
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What happens to one call instead of, before or after what it asks for."""

    SLOW = "slow"
    FAILED = "failed"
    THROTTLED = "throttled"
    LOST_REQUEST = "lost request"
    LOST_ANSWER = "lost answer"
    TWICE = "twice"
    STALE = "stale"


# The share of calls of each kind that a fault befalls.
ANY = {Fault.SLOW: 0.02, Fault.FAILED: 0.01, Fault.THROTTLED: 0.01, Fault.LOST_REQUEST: 0.01, Fault.LOST_ANSWER: 0.01}
# SQS delivers at least once, and EC2's and SQS's reads are eventually consistent.
MORE = {
    "SendMessage": {Fault.TWICE: 0.02},
    "SendMessageBatch": {Fault.TWICE: 0.02, Fault.SLOW: 0.05},
    "ReceiveMessage": {Fault.TWICE: 0.02},
    "GetQueueAttributes": {Fault.STALE: 0.1},
    "DescribeInstances": {Fault.STALE: 0.1},
}
_LONGEST_DELAY_SECONDS = 3.0
# SNS gives up on a delivery; an alarm has few, so that many must be lost for one to be.
LOST_NOTICES = 0.5


@dataclass(frozen=True)
class Misfortune:
    """A fault, and after how many seconds it comes."""

    fault: Fault
    seconds: float


def misfortune(seed: int, action: str, nth: int) -> Misfortune | None:
    """What befalls the nth call of an action (`GetObject`, `SendMessageBatch`, ...); None for most."""
    dice = random.Random(f"{seed} {action} {nth}")
    at = dice.random()
    for fault, share in (ANY | MORE.get(action, {})).items():
        if (at := at - share) < 0:
            seconds = dice.uniform(0.2, _LONGEST_DELAY_SECONDS) if fault is Fault.SLOW else 0.0
            return Misfortune(fault, seconds)
    return None


def loses_notice(seed: int, nth: int) -> bool:
    """Whether the nth notice of an alarm never reaches the Lambda."""
    return random.Random(f"{seed} notice {nth}").random() < LOST_NOTICES


# What is hit, by a word of its processes' command lines, and how often each is chosen. The disk is the web tier's.
DISK = "disk"
VICTIMS = {"worker_ami.worker": 6, "gunicorn": 3, "web_tier.listener": 2, "lambda_runtime": 2, DISK: 3}
# How long a frozen process stays so, in seconds: a stumble; longer than a lease; longer than a message stays hidden, so
# that the worker finds its images answered by others.
FROZEN_SECONDS = (3.0, 25.0, 75.0)
_SHARE_FROZEN = 0.3
# How long a disk stays full, in seconds: a stumble, and longer than a lease.
FULL_SECONDS = (4.0, 25.0)


@dataclass(frozen=True)
class Harm:
    """A process that is killed, or frozen for so many seconds, or a disk that is full for so many."""

    victim: str
    seconds: float | None
    # Which of those that run now, from 0 to below 1.
    among: float


def harm(seed: int, nth: int) -> Harm:
    """The nth harm that is done to the system itself."""
    dice = random.Random(f"{seed} harm {nth}")
    (victim,) = dice.choices(list(VICTIMS), list(VICTIMS.values()))
    frozen, among = dice.random() < _SHARE_FROZEN, dice.random()
    if victim == DISK:
        return Harm(victim, dice.choice(FULL_SECONDS), among)
    return Harm(victim, dice.choice(FROZEN_SECONDS) if frozen else None, among)
