"""Waits until the web tier on the new machine answers."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import requests

from web_tier.readiness import CREDENTIALS, State

# Between two looks, and for one, in seconds.
_LOOK_SECONDS = 2.0
_ANSWER_SECONDS = 10.0


class Readiness(StrEnum):
    """How far the machine is."""

    # No answer, or nginx's own: the machine boots, or installs.
    SILENT = "silent"
    # The web tier answers, and lacks something; its AWS key, as long as nobody has brought it.
    INSTALLED = "installed"
    READY = "ready"


@dataclass(frozen=True)
class Sight:
    """What one look has shown: how far the machine is, and which checks of its `/readyz` have failed."""

    readiness: Readiness
    failed: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether nothing is lacking."""
        return self.readiness is Readiness.READY

    @property
    def lacks_key(self) -> bool:
        """Whether it has no AWS key, or one that AWS refuses."""
        return CREDENTIALS in self.failed

    def __str__(self) -> str:
        return f"{self.readiness}; failed: {', '.join(self.failed)}" if self.failed else str(self.readiness)


def probe(url: str) -> Sight:
    """Look once; `url` is that of `/readyz`."""
    try:
        answer = requests.get(url, timeout=_ANSWER_SECONDS, allow_redirects=False)
    except requests.RequestException:
        return Sight(Readiness.SILENT)
    if answer.status_code == 200:
        return Sight(Readiness.READY)
    # nginx answers 502 for a web tier that does not run, and with a page.
    ours = answer.status_code == 503 and "json" in answer.headers.get("Content-Type", "")
    return Sight(Readiness.INSTALLED, _failed(answer)) if ours else Sight(Readiness.SILENT)


def wait(
    url: str,
    reached: Callable[[Sight], bool],
    seconds: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    look: Callable[[str], Sight] = probe,
) -> Sight:
    """Look until it is as far as wanted, or the time is over; the last that was seen."""
    deadline = clock() + seconds
    while not reached(seen := look(url)) and clock() < deadline:
        sleep(_LOOK_SECONDS)
    return seen


def _failed(answer: requests.Response) -> tuple[str, ...]:
    """The names of the checks that failed; none of an answer that does not tell them."""
    try:
        return tuple(str(check["name"]) for check in answer.json()["checks"] if check["state"] == State.FAILED)
    except (ValueError, KeyError, TypeError):
        return ()
