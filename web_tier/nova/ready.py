"""Waits until the web tier on the new machine answers."""

import time
from collections.abc import Callable
from enum import StrEnum

import requests

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


def probe(url: str) -> Readiness:
    """Look once; `url` is that of `/readyz`."""
    try:
        answer = requests.get(url, timeout=_ANSWER_SECONDS, allow_redirects=False)
    except requests.RequestException:
        return Readiness.SILENT
    if answer.status_code == 200:
        return Readiness.READY
    # nginx answers 502 for a web tier that does not run, and with a page.
    ours = answer.status_code == 503 and "json" in answer.headers.get("Content-Type", "")
    return Readiness.INSTALLED if ours else Readiness.SILENT


def wait(
    url: str,
    reached: Callable[[Readiness], bool],
    seconds: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    look: Callable[[str], Readiness] = probe,
) -> Readiness:
    """Look until it is as far as wanted, or the time is over; the last that was seen."""
    deadline = clock() + seconds
    while not reached(seen := look(url)) and clock() < deadline:
        sleep(_LOOK_SECONDS)
    return seen
