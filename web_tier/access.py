"""Who may ask for what, once there is a file of tokens; without one everybody may, as the course's clients need it.

Every address stands in one of the two tables below, or the application does not start: a new one is never open by
oversight.
"""

from pathlib import Path
from typing import cast

from flask import Flask, current_app, g, request

from novaburst.settings import SettingsError
from web_tier.bearer import given_token
from web_tier.database import Database
from web_tier.gate import Gate
from web_tier.problems import Problem
from web_tier.same_origin import SAFE, foreign, unsaid
from web_tier.sign_in import cookie_token
from web_tier.token_file import TokenFileError, WatchedTokens
from web_tier.tokens import Scope, Token, token_mark

_EXTENSION = "novaburst_access"

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
        # These are how a browser gets and loses its token.
        "session.begin",
        "session.end",
    }
)
# Whose body is what `bytes_per_day` counts.
_BODIES = frozenset({"uploads.upload", "course_clients.classify"})


def init_app(app: Flask, tokens: WatchedTokens | None, database: Database) -> None:
    """Put the gate before every address of an application that has them all by now.

    Raises:
        RuntimeError: an address stands in neither table.
    """
    known = _OPEN | _NEEDED.keys()
    if unknown := {rule.endpoint for rule in app.url_map.iter_rules()} - known:
        raise RuntimeError(f"whether these addresses need a token is not said: {', '.join(sorted(unknown))}")
    app.extensions[_EXTENSION] = None if tokens is None else Gate(tokens, database)
    app.before_request(_refuse_other_sites)
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
    gate = _gate()
    if gate is not None:
        gate.charge_bytes(g.token, size)


def owner() -> str | None:
    """A mark of the current request's token, another for each; None where none is needed."""
    return None if _gate() is None else token_mark(g.token)


def needed() -> bool:
    """Whether this server asks for tokens."""
    return _gate() is not None


def find(text: str) -> Token | None:
    """The token of this text, if it is one and still good, where tokens are needed.

    Raises:
        Problem: 503, the file of tokens cannot be read.
    """
    gate = _gate()
    return None if gate is None else gate.find(text)


def granted(scope: Scope | None = None) -> bool:
    """Whether the current request needs no token or has a good one, of this scope if one is given.

    While the file of tokens cannot be read, none is good.
    """
    if not needed():
        return True
    text = _given()
    try:
        token = None if text is None else find(text)
    except Problem:
        return False
    return token is not None and (scope is None or scope in token.scopes)


def _admit() -> None:
    gate, endpoint = _gate(), request.endpoint or ""
    scope = _NEEDED.get(endpoint)
    # OPTIONS only names an address's methods.
    if gate is None or scope is None or request.method == "OPTIONS":
        return
    g.token = gate.admit(_given(), scope)
    if endpoint in _BODIES:
        chunked = "Transfer-Encoding" in request.headers
        gate.take_body(g.token, None if chunked else request.content_length or 0)


def _refuse_other_sites() -> None:
    """What changes something is never done because another site's page has made a browser ask for it."""
    if request.method in SAFE:
        return
    said = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    by_cookie = cookie_token() is not None and given_token(request.headers.get("Authorization")) is None
    # Not `request.host`, which is empty for a name that is no host name by the book, as one with an underscore.
    if foreign(*said, request.headers.get("Host")) or (by_cookie and unsaid(*said)):
        raise Problem(
            403,
            "your browser says that a page of another site has sent this, or does not say that none has: use this"
            " server's own page",
        )


def _given() -> str | None:
    """The token in the header, or else in the cookie that a person's browser keeps."""
    return given_token(request.headers.get("Authorization")) or cookie_token()


def _gate() -> Gate | None:
    return cast(Gate | None, current_app.extensions[_EXTENSION])
