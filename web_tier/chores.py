"""Work that a process repeats in a thread of its own."""

import logging
import sqlite3
import threading
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from novaburst.objects import NotDeletedError

log = logging.getLogger(__name__)


def start_chore(
    name: str, work: Callable[[], object], period_seconds: float, stop: threading.Event
) -> threading.Thread:
    """Do `work` every `period_seconds` until `stop`; failures of AWS and the store are logged and tried again."""

    def run() -> None:
        while not stop.wait(period_seconds):
            try:
                work()
            except (BotoCoreError, ClientError, NotDeletedError, sqlite3.Error) as error:
                log.warning("%s was not finished: %s", name, error)

    thread = threading.Thread(target=run, name=name)
    thread.start()
    return thread
