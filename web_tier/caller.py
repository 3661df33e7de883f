"""The client of a request, at the other end of gunicorn's connection, and whether it is still there.

When a client hangs up, nginx closes its connection to gunicorn and gives the request's place there to another. gunicorn
itself notices nothing of that as long as a request works or waits.
"""

import select
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

# Between two looks at whether a client is still there, in seconds: so long a thread outlives its client's patience.
_LOOK_SECONDS = 1.0
# The other side sends no more, whatever it sent before lies unread. Only Linux tells that apart.
_HUNG_UP = getattr(select, "POLLRDHUP", select.POLLHUP)


class Caller:
    """The client of the request with this WSGI environment; under another server than gunicorn it cannot be seen."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._connection: socket.socket | None = environ.get("gunicorn.socket")

    def gone(self) -> bool:
        """Whether it has hung up, or at least closed its half of the connection, as nginx takes it, too."""
        if self._connection is None:
            return False
        look = select.poll()
        look.register(self._connection, _HUNG_UP)
        return bool(look.poll(0))

    def wait(self, wait: Callable[[float], bool], seconds: float) -> bool:
        """Whether `wait`, which is told for how many seconds, had what it waits for within `seconds`.

        Once the client is gone nobody waits any more.
        """
        until = time.monotonic() + seconds
        while not wait(max(0.0, min(_LOOK_SECONDS, until - time.monotonic()))):
            if time.monotonic() >= until or self.gone():
                return False
        return True


# Taken to be there.
UNSEEN = Caller({})
