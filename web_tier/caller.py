"""The client of a request, at the other end of gunicorn's connection: is it still there, and what does it still send.

When a client hangs up, nginx closes its connection to gunicorn and gives the request's place there to another. gunicorn
itself notices nothing of that as long as a request works or waits.
"""

import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

log = logging.getLogger(__name__)

# Between two looks at whether a client is still there, in seconds: so long a thread outlives its client's patience.
_LOOK_SECONDS = 1.0
# For how long the rest of a body is read behind its answer, in seconds: as long as gunicorn does on a kept connection.
_HEAR_OUT_SECONDS = 5.0
_CHUNK = 64 * 1024
# The other side sends no more, whatever it sent before lies unread. Only Linux tells that apart.
_HUNG_UP = getattr(select, "POLLRDHUP", select.POLLHUP)


class Caller:
    """The client of the request with this WSGI environment; under another server than gunicorn it cannot be seen."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._connection: socket.socket | None = environ.get("gunicorn.socket")
        self._body = environ.get("wsgi.input")

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

    def hear_out(self) -> None:
        """Read and drop the rest of the body, once the answer has gone out; who trickles has the connection ended.

        Closed under a client that is sending, a connection is reset, and an answer that was not read is lost.
        """
        if self._connection is None or self._body is None:
            return
        # A read returns with its last byte alone, so a time limit on the socket would begin again with each byte.
        end = threading.Timer(_HEAR_OUT_SECONDS, _end, (self._connection,))
        end.daemon = True
        end.start()
        try:
            while self._body.read(_CHUNK):
                pass
        except Exception as error:  # gunicorn's errors on a broken body have no common base
            log.debug("the rest of a body broke off: %r", error)
        finally:
            end.cancel()


# Taken to be there.
UNSEEN = Caller({})


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
