"""What became of the photos of one run: pure, from what the clients saw of each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.percentile import percentile


class Fate(StrEnum):
    """How a photo ended: with its label, with another one, accepted and never answered, or never accepted at all."""

    ANSWERED = "answered"
    WRONG = "wrong"
    LOST = "lost"
    REFUSED = "refused"


@dataclass(frozen=True)
class Outcome:
    """One photo: its fate, the seconds from the first try to it, and how often it was sent."""

    fate: Fate
    seconds: float
    tries: int


@dataclass(frozen=True)
class Account:
    """All photos of a run by fate, those sent more than once, and in how many seconds 50, 95 and 100 % had a label."""

    answered: int
    wrong: int
    lost: int
    refused: int
    sent_again: int
    p50: float
    p95: float
    slowest: float

    @property
    def photos(self) -> int:
        """All of them."""
        return self.answered + self.wrong + self.lost + self.refused


def account(outcomes: Sequence[Outcome]) -> Account:
    """Add up; without a single answer the percentiles are NaN."""
    fates = Counter(outcome.fate for outcome in outcomes)
    seconds = [outcome.seconds for outcome in outcomes if outcome.fate is Fate.ANSWERED]
    return Account(
        answered=fates[Fate.ANSWERED],
        wrong=fates[Fate.WRONG],
        lost=fates[Fate.LOST],
        refused=fates[Fate.REFUSED],
        sent_again=sum(outcome.tries > 1 for outcome in outcomes),
        p50=percentile(seconds, 0.5),
        p95=percentile(seconds, 0.95),
        slowest=percentile(seconds, 1),
    )
