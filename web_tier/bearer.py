"""Tokens in the Authorization header (RFC 6750), and the operator's one.

Its SHA-256 is all that is kept here: a dump of the settings opens nothing.
"""

import hashlib
import hmac

from web_tier.problems import Problem


def challenge(**parameters: str) -> dict[str, str]:
    """The header that says how to authorise, with `error` and the like."""
    told = ", ".join(f'{name}="{value}"' for name, value in {"realm": "novaburst", **parameters}.items())
    return {"WWW-Authenticate": f"Bearer {told}"}


def given_token(header: str | None) -> str | None:
    """The token in an Authorization header, if it holds one."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


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
    token = given_token(header)
    if token is None:
        raise Problem(401, "a token is needed: send it as `Authorization: Bearer <token>`", headers=challenge())
    given = hashlib.sha256(token.encode()).hexdigest()
    if not hmac.compare_digest(given, sha256):
        raise Problem(401, "this is not the configured token", headers=challenge(error="invalid_token"))
    return token_id(sha256)
