"""Work that a process repeats in a thread of its own."""

import logging
import sqlite3
import threading
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from novaburst.objects import NotDeletedError

log = logging.getLogger(__name__)

# The longest pause after failures that nobody foresaw, in seconds; it is doubled up to that with each in a row.
_LONGEST_PAUSE = 60.0


def start_chore(
    name: str, work: Callable[[], object], period_seconds: float, stop: threading.Event
) -> threading.Thread:
    """Do `work` every `period_seconds` until `stop`, whatever it raises: it is logged and tried again.

    Failures of AWS and the store pass. Any other is a fault of ours, told with its traceback, and met with ever longer
    pauses: the process has other work that goes on, which a restart each time would take away as well.
    """

    def run() -> None:
        pause = period_seconds
        while not stop.wait(pause):
            try:
                work()
                pause = period_seconds
            except (BotoCoreError, ClientError, NotDeletedError, sqlite3.Error) as error:
                pause = period_seconds
                log.warning("%s was not finished: %s", name, error)
            except Exception:
                pause = max(period_seconds, min(2 * pause, _LONGEST_PAUSE))
                log.exception("%s failed, next try in %.1f s", name, pause)

    # It keeps no process alive whose main thread has failed: all that a chore does may end at any moment.
    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
