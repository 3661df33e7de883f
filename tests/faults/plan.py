"""Which of AWS's calls go wrong, and how: a pure function of a seed, so that a run of faults can be had again."""

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
