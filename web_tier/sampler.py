"""Looks at the fleet every few seconds, so that its history is there when somebody opens the page."""

import logging
import threading
import time
from collections.abc import Callable

from scaling_lambda.fleet import Observation
from scaling_lambda.observe import ObservationError
from scaling_lambda.policy import Plan
from web_tier.chores import start_chore
from web_tier.history import History
from web_tier.pace import pace
from web_tier.store import Store

log = logging.getLogger(__name__)

# Between two samples while there is work or a worker, and otherwise, in seconds: quiet days cost SQS and EC2 nothing
# to speak of (45,000 requests a month).
_BUSY_SECONDS = 5.0
_QUIET_SECONDS = 60.0


class Sampler:
    """One process's part in sampling; all processes together take one sample a period."""

    def __init__(
        self,
        fleet: Callable[[], tuple[Observation, Plan]],
        store: Store,
        history: History,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fleet = fleet
        self._store = store
        self._history = history
        self._clock = clock
        self._busy = False
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Sample from now on; call it in the process that serves, after any fork."""
        self._thread = start_chore("sampling the fleet", self._sample, _BUSY_SECONDS, self._closing)

    def close(self) -> None:
        """End the thread."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def sample(self) -> None:
        """Take a sample if one is due.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError, ObservationError, sqlite3.Error: there is none this time.
        """
        now = self._clock()
        measured = pace(self._store, now)
        busy = self._busy or measured.pending > 0
        if not self._history.claim(now, _BUSY_SECONDS if busy else _QUIET_SECONDS):
            return
        observation, plan = self._fleet()
        self._busy = not observation.quiet
        self._history.enter(observation, plan, measured.images_a_minute)

    def _sample(self) -> None:
        try:
            self.sample()
        except ObservationError as error:
            log.warning("no sample of the fleet was taken: %s", error)
