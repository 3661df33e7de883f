"""Who may ask for what, once there is a file of tokens; without one everybody may, as the course's clients need it.

Every address stands in one of the two tables below, or the application does not start: a new one is never open by
oversight.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from flask import Flask, current_app, g, request

from novaburst.settings import SettingsError
from web_tier.bearer import challenge, given_token
from web_tier.database import Database
from web_tier.problems import Problem
from web_tier.quota import Kind, Quota, limit_of
from web_tier.token_file import TokenFileError, WatchedTokens
from web_tier.tokens import Scope, Token

log = logging.getLogger(__name__)

_EXTENSION = "novaburst_access"
_HOW = "send it as `Authorization: Bearer <token>` (novaburst takes it from NOVABURST_TOKEN)"

_NEEDED = {
    "uploads.upload": Scope.UPLOAD,
    "course_clients.classify": Scope.UPLOAD,
    "collection.open_batch": Scope.UPLOAD,
    "collection.delete": Scope.UPLOAD,
    "presigned.issue": Scope.UPLOAD,
    "presigned.complete": Scope.UPLOAD,
    "results.result": Scope.RESULTS,
    "results.batch": Scope.RESULTS,
    "events.events": Scope.RESULTS,
    "downloads.as_csv": Scope.RESULTS,
    "downloads.as_json_file": Scope.RESULTS,
    "pages.batch": Scope.RESULTS,
}
_OPEN = frozenset(
    {
        "health.live",
        "health.ready",
        # Without the latest names, unless the caller may see results.
        "health.status",
        "pages.home",
        "pages.static",
        # Numbers and ids of instances.
        "fleet.fleet",
        "description.openapi",
        "description.docs",
        "course_clients.unknown",
        # These ask for the operator's token themselves.
        "collection.batches",
        "scale.scale",
    }
)
# Whose body is what `bytes_per_day` counts.
_BODIES = frozenset({"uploads.upload", "course_clients.classify"})


class Access:
    """The gate of one process. Safe to share between threads."""

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
            raise Problem(401, f"a token is needed: {_HOW}", headers=challenge())
        token = self.find(text)
        if token is None:
            raise Problem(
                401,
                "this token is unknown, revoked or expired: ask whoever runs this server for another",
                headers=challenge(error="invalid_token"),
            )
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


def init_app(app: Flask, tokens: WatchedTokens | None, database: Database) -> None:
    """Put the gate before every address of an application that has them all by now.

    Raises:
        RuntimeError: an address stands in neither table.
    """
    known = _OPEN | _NEEDED.keys()
    if unknown := {rule.endpoint for rule in app.url_map.iter_rules()} - known:
        raise RuntimeError(f"whether these addresses need a token is not said: {', '.join(sorted(unknown))}")
    app.extensions[_EXTENSION] = None if tokens is None else Access(tokens, database)
    app.before_request(_admit)


def watched(path: Path | None) -> WatchedTokens | None:
    """The tokens of the setting's file, which is there and good at the start; None: nobody needs one.

    Raises:
        novaburst.settings.SettingsError: it cannot be used.
    """
    if path is None:
        return None
    tokens = WatchedTokens(path)
    try:
        tokens()
    except TokenFileError as error:
        raise SettingsError(f"NOVABURST_TOKEN_FILE: {error}") from error
    return tokens


def charge_bytes(size: int) -> None:
    """Count bytes that the current request's token has sent past this server."""
    access = _access()
    if access is not None:
        access.charge_bytes(g.token, size)


def may_see_names() -> bool:
    """Whether whoever asks may see what others have uploaded: everybody, unless tokens are needed for results."""
    access = _access()
    if access is None:
        return True
    text = given_token(request.headers.get("Authorization"))
    token = access.find(text) if text is not None else None
    return token is not None and Scope.RESULTS in token.scopes


def _admit() -> None:
    access, endpoint = _access(), request.endpoint or ""
    scope = _NEEDED.get(endpoint)
    # OPTIONS only names an address's methods.
    if access is None or scope is None or request.method == "OPTIONS":
        return
    g.token = access.admit(given_token(request.headers.get("Authorization")), scope)
    if endpoint in _BODIES:
        chunked = "Transfer-Encoding" in request.headers
        access.take_body(g.token, None if chunked else request.content_length or 0)


def _access() -> Access | None:
    return cast(Access | None, current_app.extensions[_EXTENSION])
