"""Whether what the web tier depends on can be reached, and if not, why, in words an operator can act on."""

import logging
import sqlite3
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from web_tier.tier import Tier

log = logging.getLogger(__name__)

_CLOCK = frozenset({"RequestTimeTooSkewed", "RequestExpired", "SignatureDoesNotMatch", "AuthFailure"})
_PROBE = "readiness-probe"


def faults(parts: Tier) -> dict[str, str]:
    """What cannot be reached, by name, with the reason; empty when all is well."""
    checks: dict[str, Callable[[], object]] = {
        "store": parts.store.counts,
        "in-bucket": lambda: parts.deployment.in_bucket.exists(_PROBE),
        "out-bucket": lambda: parts.deployment.out_bucket.exists(_PROBE),
        "request-queue": lambda: parts.deployment.request_queue.depth(),  # noqa: PLW0108 - finding it is part of the check
        "response-queue": lambda: parts.deployment.response_queue.depth(),  # noqa: PLW0108 - as above
    }
    found = {name: _fault(name, check) for name, check in checks.items()}
    return {name: fault for name, fault in found.items() if fault is not None}


def reason(error: Exception) -> str:
    """Why AWS or the store did not answer, for anybody to read: AWS's own words name accounts and roles, so they go
    to the log only."""
    if isinstance(error, NoCredentialsError):
        return "no AWS credentials: set the AWS_* variables, a profile or an instance profile"
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        return f"AWS says {code}" + (" (is this machine's clock right?)" if code in _CLOCK else "")
    return str(error)


def _fault(name: str, check: Callable[[], object]) -> str | None:
    try:
        check()
    except (BotoCoreError, ClientError, sqlite3.Error) as error:
        log.warning("%s cannot be reached: %s", name, error)
        return reason(error)
    return None
