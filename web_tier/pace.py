"""How fast images are answered, and when the last one will be."""

from dataclasses import dataclass

from web_tier.store import Store

# The rate is that of the last minute, or of its last quarter while the fleet grows, in seconds.
_MINUTE = 60.0
_QUARTER = 15.0


@dataclass(frozen=True)
class Pace:
    """Images answered in the last minute, images still pending, and the seconds that these will take.

    The time is unknown (None) while nothing is answered; it is what the present workers need, so it shrinks as more of
    them come up.
    """

    images_a_minute: int
    pending: int
    seconds_to_finish: float | None


def pace(store: Store, now: float) -> Pace:
    """The pace at that moment, over all batches."""
    minute, pending = store.answered_since(now - _MINUTE), store.counts().pending
    quarter = store.answered_since(now - _QUARTER) if pending and minute else 0
    return Pace(minute, pending, seconds_to_finish(pending, minute, quarter))


def seconds_to_finish(pending: int, in_a_minute: int, in_its_last_quarter: int) -> float | None:
    """The time that `pending` images will take, in seconds."""
    if not pending:
        return 0.0
    a_second = max(in_a_minute / _MINUTE, in_its_last_quarter / _QUARTER)
    return round(pending / a_second, 1) if a_second else None
