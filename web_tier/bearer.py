"""The manual trigger's token. Its SHA-256 is all that is kept here: a dump of the settings opens nothing."""

import hashlib
import hmac

from web_tier.problems import Problem

_CHALLENGE = 'Bearer realm="novaburst"'


def token_id(sha256: str) -> str:
    """What the log calls a token: the start of its hash, which tells tokens apart and opens nothing."""
    return sha256[:8]


def authorise(header: str | None, sha256: str | None) -> str:
    """The id of the token in an Authorization header, when its SHA-256 (hex) is the configured one.

    Raises:
        Problem: 403 when no token is configured, 401 when it is missing or another.
    """
    if sha256 is None:
        raise Problem(
            403,
            "the manual trigger is switched off: to enable it, set NOVABURST_SCALE_TOKEN_SHA256 to the SHA-256"
            " of a long random token and start the web tier again",
        )
    scheme, _, token = (header or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Problem(
            401,
            "a token is needed: send it as `Authorization: Bearer <token>`",
            headers={"WWW-Authenticate": _CHALLENGE},
        )
    given = hashlib.sha256(token.encode()).hexdigest()
    if not hmac.compare_digest(given, sha256):
        challenge = f'{_CHALLENGE}, error="invalid_token"'
        raise Problem(401, "this is not the configured token", headers={"WWW-Authenticate": challenge})
    return token_id(sha256)
