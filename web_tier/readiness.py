"""Whether this machine can take images: what the work needs, each with its state, what is wrong and what to do."""

import logging
import sqlite3
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from botocore.exceptions import BotoCoreError, ClientError

from novaburst.queues import QueueAttributesError
from web_tier.reachability import (
    ABSENT,
    CLOCK_REFUSED,
    DENIED,
    KEY_REFUSED,
    REFUSED,
    SEE_KEY,
    SEE_NETWORK,
    SET_CLOCK,
    SET_KEY,
    Failure,
    code_of,
    no_key,
    reason,
    remedy,
)
from web_tier.skew import BOUND_SECONDS, WARNING_SECONDS

log = logging.getLogger(__name__)

Probe = Callable[[], object]

# The name of the check that fails when the key is missing or refused; the operator's machine looks for it.
CREDENTIALS = "credentials"


class State(StrEnum):
    """How one thing stands. A warning does not stop the work, yet; unknown is what nothing could be learned about."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Check:
    """One thing that the work needs; the remedy is None when all is well."""

    name: str
    state: State
    detail: str
    remedy: str | None = None


def readiness(local: Mapping[str, Probe], aws: Mapping[str, Probe], skew: Callable[[], float | None]) -> list[Check]:
    """Try what is here and what is AWS's, all at once; then judge key and clock by what the calls to AWS have met."""
    probes = {**local, **aws}
    with ThreadPoolExecutor(len(probes), thread_name_prefix="probe") as pool:
        failures = dict(zip(probes, pool.map(_tried, probes, probes.values()), strict=True))
    met = [failures[name] for name in aws]
    time = clock(skew(), met)
    if time.state is State.FAILED:
        # Whatever AWS refuses now, it refuses for this.
        key = Check(CREDENTIALS, State.UNKNOWN, "AWS judges no key while the clock is wrong", SET_CLOCK)
        resources = [_resource(name, failure, SET_CLOCK) for name, failure in failures.items()]
    else:
        key = credentials(met)
        resources = [_resource(name, failure) for name, failure in failures.items()]
    return [time, key, *resources]


def told(failed: Collection[Check]) -> str:
    """What is wrong in one sentence a remedy, since one missing key makes every call to AWS fail."""
    by_remedy: dict[str | None, list[Check]] = {}
    for check in failed:
        by_remedy.setdefault(check.remedy, []).append(check)
    return "; ".join(
        f"{', '.join(check.name for check in checks)}: {checks[0].detail}: {remedy}"
        for remedy, checks in by_remedy.items()
    )


def credentials(met: Collection[Failure | None]) -> Check:
    """What AWS thinks of the key, by what calls have met: None is an answer."""
    if any(map(no_key, met)):
        return Check(CREDENTIALS, State.FAILED, "there are no AWS credentials", SET_KEY)
    codes = {code_of(failure) for failure in met}
    if refused := sorted(code for code in codes if code in KEY_REFUSED):
        return Check(CREDENTIALS, State.FAILED, f"AWS refuses the key: {refused[0]}", SEE_KEY)
    if None in met or codes & (DENIED | ABSENT) - {REFUSED}:
        return Check(CREDENTIALS, State.OK, "AWS knows the key")
    return Check(CREDENTIALS, State.UNKNOWN, "AWS did not answer", SEE_NETWORK)


def clock(seconds: float | None, met: Collection[Failure | None]) -> Check:
    """This machine's clock, by how many seconds it is ahead of AWS's, or by what calls have met."""
    if seconds is None:
        if {code_of(failure) for failure in met} & CLOCK_REFUSED:
            return Check("clock", State.FAILED, "AWS says that this machine's clock is wrong", SET_CLOCK)
        return Check("clock", State.UNKNOWN, "no answer has told AWS's time yet", SEE_NETWORK)
    off = f"this machine's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} AWS's"
    if abs(seconds) >= BOUND_SECONDS:
        return Check("clock", State.FAILED, f"{off}: AWS refuses requests {BOUND_SECONDS:.0f} s off", SET_CLOCK)
    if abs(seconds) >= WARNING_SECONDS:
        return Check("clock", State.WARNING, f"{off}: AWS will refuse requests {BOUND_SECONDS:.0f} s off", SET_CLOCK)
    return Check("clock", State.OK, off)


def _tried(name: str, probe: Probe) -> Failure | None:
    try:
        probe()
    except (BotoCoreError, ClientError, QueueAttributesError, sqlite3.Error) as error:
        log.warning("%s cannot be reached: %s", name, error)
        return error
    return None


def _resource(name: str, failure: Failure | None, refused_for: str | None = None) -> Check:
    if failure is None:
        return Check(name, State.OK, "it answers")
    words = refused_for if refused_for and isinstance(failure, ClientError) else remedy(failure)
    return Check(name, State.FAILED, reason(failure), words)
