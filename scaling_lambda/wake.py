"""What a wake-up's event says: when the first of its messages was sent."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any


def first_sent(event: Any) -> datetime | None:
    """The earliest SentTimestamp of an SQS event's records; None when none of them tells.

    The time only measures how fast the wake-up was: an event of any other form must not keep the fleet from a look.
    """
    return min(_moments(event), default=None)


def _moments(event: Any) -> Iterator[datetime]:
    records = event.get("Records") if isinstance(event, dict) else None
    for record in records if isinstance(records, list) else ():
        attributes = record.get("attributes") if isinstance(record, dict) else None
        sent = attributes.get("SentTimestamp") if isinstance(attributes, dict) else None
        try:
            # SQS gives milliseconds since the epoch, as text.
            yield datetime.fromtimestamp(int(sent) / 1000, UTC)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError, OSError):
            continue
