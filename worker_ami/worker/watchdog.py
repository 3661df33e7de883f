"""Signs of life to systemd, which restarts a worker that gives none: one whose interpreter hangs in a library."""

import logging
import os
import socket
import threading
from collections.abc import Mapping

log = logging.getLogger(__name__)


def watch(ended: threading.Event, environment: Mapping[str, str] = os.environ) -> None:
    """Give a sign of life thrice in each of the unit's WatchdogSec until `ended`; nothing without such a unit."""
    address, microseconds = environment.get("NOTIFY_SOCKET"), environment.get("WATCHDOG_USEC")
    if not address or not microseconds:
        return
    # sd_notify(3): an address that begins with @ is an abstract one.
    path = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        while True:
            try:
                notify.sendto(b"WATCHDOG=1", path)
            except OSError as error:
                log.warning("no sign of life could be given: %s", error)
            if ended.wait(int(microseconds) / 3e6):
                return
