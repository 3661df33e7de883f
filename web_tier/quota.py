"""What each token has used of its limits, in the store's file, since all processes share one count."""

import time
from collections.abc import Callable
from enum import StrEnum

from web_tier.database import Database
from web_tier.limiter import Limit, spend, wait_seconds
from web_tier.tokens import Token, token_mark

MINUTE_SECONDS, DAY_SECONDS = 60, 86_400


class Kind(StrEnum):
    """What is counted."""

    REQUESTS = "requests"
    BYTES = "bytes"


def limit_of(token: Token, kind: Kind) -> Limit | None:
    """The token's limit on this; None: any number."""
    if kind is Kind.REQUESTS:
        return None if token.per_minute is None else Limit(token.per_minute, MINUTE_SECONDS)
    return None if token.bytes_per_day is None else Limit(token.bytes_per_day, DAY_SECONDS)


class Quota:
    """The counts. Safe to share between threads and processes."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def take(self, token: Token, kind: Kind, amount: int) -> int:
        """Take what the limit allows: 0, or how many seconds to wait, and then nothing was taken."""
        return self._spend(token, kind, amount, beyond=False)

    def charge(self, token: Token, kind: Kind, amount: int) -> None:
        """Count what has happened already; beyond the limit, later requests wait for it."""
        self._spend(token, kind, amount, beyond=True)

    def _spend(self, token: Token, kind: Kind, amount: int, *, beyond: bool) -> int:
        limit = limit_of(token, kind)
        if limit is None:
            return 0
        key, now = token_mark(token), int(self._clock() * 1_000_000)
        with self._database.noting() as db:
            row = db.execute("SELECT until FROM quotas WHERE token = ? AND kind = ?", (key, kind)).fetchone()
            known = row[0] if row else 0
            # Requests are never taken beyond their limit: what lies further ahead is of a clock that was ahead.
            if kind is Kind.REQUESTS and known > now + limit.period:
                known = 0
            until = spend(limit, known, amount, now)
            wait = wait_seconds(limit, until, now)
            if beyond or not wait:
                db.execute("INSERT OR REPLACE INTO quotas VALUES (?, ?, ?)", (key, kind, until))
                # What is paid for is as if it had never been; so revoked tokens leave nothing behind.
                db.execute("DELETE FROM quotas WHERE until < ?", (now,))
                return 0
        return wait
