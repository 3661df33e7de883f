"""Whether a token is good, opens what is asked, and is within its limits."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from web_tier.bearer import challenge
from web_tier.database import Database
from web_tier.problems import Problem
from web_tier.quota import Kind, Quota, limit_of
from web_tier.sign_in import SignInProblem
from web_tier.token_file import TokenFileError, WatchedTokens
from web_tier.tokens import Scope, Token

log = logging.getLogger(__name__)

_HOW = "send it as `Authorization: Bearer <token>` (novaburst takes it from NOVABURST_TOKEN)"


class Gate:
    """Of one process. Safe to share between threads."""

    def __init__(self, tokens: WatchedTokens, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._tokens = tokens
        self._quota = Quota(database, clock=clock)
        self._clock = clock

    def find(self, text: str) -> Token | None:
        """The token of this text, if it is one and still good.

        Raises:
            Problem: 503, the file of tokens cannot be read.
        """
        try:
            token = self._tokens().find(text)
        except TokenFileError as error:
            log.error("nobody is let in: %s", error)  # noqa: TRY400 - the text says it all
            raise Problem(503, "who may come in cannot be looked up just now: try again in a moment") from error
        return None if token is None or token.expired(datetime.fromtimestamp(self._clock(), UTC)) else token

    def admit(self, text: str | None, scope: Scope) -> Token:
        """The token of a request that needs this scope, after counting the request.

        Raises:
            Problem: 401 without a token or with one that is not good, 403 for another scope, 429 beyond its limit.
        """
        if text is None:
            raise SignInProblem(401, f"a token is needed: {_HOW}", headers=challenge())
        token = self.find(text)
        if token is None:
            words = "this token is unknown, revoked or expired: ask whoever runs this server for another"
            raise SignInProblem(401, words, headers=refused_token())
        if scope not in token.scopes:
            raise Problem(
                403,
                f"the token {token.name!r} has not the scope {scope}: ask whoever runs this server for one that has",
                headers=challenge(error="insufficient_scope", scope=scope),
            )
        self._take(token, Kind.REQUESTS, 1)
        return token

    def take_body(self, token: Token, size: int | None) -> None:
        """Count a body before it is read; `size` is None when it does not say how long it is.

        Raises:
            Problem: 411 for a body of no said length, 413 for one above the limit, 429 beyond it.
        """
        limit = limit_of(token, Kind.BYTES)
        if limit is None:
            return
        if size is None:
            raise Problem(411, f"the token {token.name!r} has a limit on bytes: send the body with a Content-Length")
        if size > limit.amount:
            raise Problem(
                413, f"the body has {size:,} bytes, the token {token.name!r} allows {limit.amount:,} a day: send less"
            )
        self._take(token, Kind.BYTES, size)

    def charge_bytes(self, token: Token, size: int) -> None:
        """Count bytes that went past this server."""
        self._quota.charge(token, Kind.BYTES, size)

    def _take(self, token: Token, kind: Kind, amount: int) -> None:
        seconds = self._quota.take(token, kind, amount)
        limit = limit_of(token, kind)
        if seconds and limit:
            of_what = "requests a minute" if kind is Kind.REQUESTS else "bytes a day"
            raise Problem(
                429,
                f"the token {token.name!r} allows {limit.amount:,} {of_what}: come again in {seconds} s",
                headers={"Retry-After": str(seconds)},
            )


def refused_token() -> dict[str, str]:
    """The header that says that a token is not good."""
    return challenge(error="invalid_token")
