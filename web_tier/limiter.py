"""How much a token may do: the generic cell rate algorithm (ITU-T I.371), as pure functions of whole microseconds.

All that is kept of the past is one moment, `until`: when everything that was taken will have been paid for at the
limit's pace. So an idle token may take a whole period's amount at once, and within any time no more than that and what
the time itself brings.
"""

from dataclasses import dataclass

_MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Limit:
    """At most `amount` within `seconds`."""

    amount: int
    seconds: int

    @property
    def period(self) -> int:
        """In microseconds."""
        return self.seconds * _MICROSECONDS


def spend(limit: Limit, until: int, amount: int, now: int) -> int:
    """`until` after taking `amount` at `now`, both in microseconds since the epoch; 0 for a token that took nothing."""
    return max(until, now) + amount * limit.period // limit.amount


def wait_seconds(limit: Limit, until: int, now: int) -> int:
    """Whole seconds from `now` until no more than a period's amount is unpaid; 0 when that is so."""
    return -(-max(0, until - now - limit.period) // _MICROSECONDS)
