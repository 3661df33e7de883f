"""Takes results from the response queue into the store: `python -m web_tier.listener`. Several may run."""

import logging
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

from botocore.exceptions import BotoCoreError, ClientError

from novaburst.contract import ContractError, Result
from novaburst.objects import Bucket
from novaburst.polls import Polls
from novaburst.queues import Queue, Received
from novaburst.settings import SettingsError, require_region
from web_tier.answers import stored_result
from web_tier.batches import Batches
from web_tier.chores import start_chore
from web_tier.dead_letters import DeadLetters
from web_tier.deployment import Deployment
from web_tier.feeder import Feeder
from web_tier.integrity import StoreError, examine
from web_tier.logs import log_to_stderr
from web_tier.reachability import remedy
from web_tier.references import References
from web_tier.settings import WebSettings
from web_tier.skew import Skew
from web_tier.store import Store
from web_tier.sweeper import Sweeper
from web_tier.tickets import expire
from web_tier.waker import Waker

log = logging.getLogger(__name__)

# One long poll, in seconds: SIGTERM waits for its end, so that no message is left hidden. One listener then makes at
# most 0.9 million requests a month, within SQS's free million.
_POLL_SECONDS = 3
# Twenty workers give some 2,300 results a second, and one thread that waits 30 ms for each call takes in 150.
_CONSUMERS = 16
_SWEEP_SECONDS = 5.0
_FEED_SECONDS = 0.5
_EXPIRY_SECONDS = 60.0
# What is older than the buckets keep it leaves the store: up to twelve million images a day.
_FORGET_SECONDS = 3.5
_FORGET_AT_ONCE = 500
_DAY_SECONDS = 86_400.0
# A thousand objects each time: a batch of 100,000 is gone within three minutes.
_PURGE_SECONDS = 1.5
# Longer than the minute between two samples of the queue's depth, so that the alarm sees what came.
_DEAD_LETTER_SECONDS = 90.0


class Listener:
    """The consumers of the response queue in one process. `clock` gives seconds since the epoch."""

    def __init__(
        self,
        response_queue: Callable[[], Queue],
        out_bucket: Bucket,
        store: Store,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._response_queue = response_queue
        self._out_bucket = out_bucket
        self._store = store
        self._clock = clock

    def listen(self, stop: threading.Event) -> None:
        """Poll until `stop`; failures of AWS and the store are logged and waited out."""
        polls = Polls(_CONSUMERS)
        with ThreadPoolExecutor(_CONSUMERS, thread_name_prefix="consumer") as consumers:
            for consumer in [consumers.submit(self._consume, polls, stop) for _ in range(_CONSUMERS)]:
                consumer.result()

    def poll(self, wait_seconds: int) -> int:
        """Take up to ten results: enter them in one transaction, then delete their messages; how many were news.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError, sqlite3.Error: they come again, a second time is harmless.
        """
        return self._enter(self._response_queue().receive(wait_seconds=wait_seconds))

    def _consume(self, polls: Polls, stop: threading.Event) -> None:
        try:
            while polls.begin(stop):
                self._turn(polls, stop)
        except BaseException:
            # The process ends with what was not foreseen, rather than go on with a consumer less.
            stop.set()
            raise

    def _turn(self, polls: Polls, stop: threading.Event) -> None:
        messages: list[Received] = []
        try:
            try:
                messages = self._response_queue().receive(wait_seconds=_POLL_SECONDS)
            finally:
                # Somebody else asks for more while these are entered.
                polls.end(len(messages))
            self._enter(messages)
            polls.succeeded()
        except (BotoCoreError, ClientError, sqlite3.Error) as error:
            if (seconds := polls.failing()) is not None:
                log.warning("no results taken, next try in %.1f s: %s: %s", seconds, error, remedy(error))
                polls.pause(stop, seconds)

    def _enter(self, messages: Sequence[Received]) -> int:
        if not messages:
            return 0
        results = [result for result in map(self._result, messages) if result is not None]
        news = self._store.record(results, self._clock()) if results else 0
        self._response_queue().delete(messages)
        return news

    def _result(self, message: Received) -> Result | None:
        try:
            result = Result.parse(message.body)
        except ContractError as error:
            # The bucket holds the truth; the sweeper looks there for what this message should have said.
            log.warning("a message of the response queue is dropped: %s", error)
            return None
        return (stored_result(self._out_bucket, result.id) or result) if result.cut else result


def main() -> None:
    """Listen, sweep and answer dead letters until SIGTERM or SIGINT; exit status 0.

    Raises:
        SystemExit: a setting is missing or wrong, or the store is damaged; the text says which, and what to do.
    """
    log_to_stderr()
    try:
        require_region()
        settings = WebSettings.load()
        scaling_settings = settings.scaling()
        examine(settings.store_path)
    except (SettingsError, StoreError) as error:
        raise SystemExit(f"the listener does not start: {error}") from error
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    deployment = Deployment(settings)
    store = Store(settings.store_path)
    waker = Waker(lambda: deployment.wake_queue, wanted="wake" in scaling_settings.triggers)
    sweeper = Sweeper(deployment, store, waker.wake)
    dead_letters = DeadLetters(deployment, store)
    references = References(store.database, deployment.in_bucket)
    feeder = Feeder(references, store, lambda: deployment.request_queue, settings.in_bucket, waker.wake)
    batches = Batches(store.database, deployment.in_bucket, deployment.out_bucket)
    chores = [
        start_chore("sweep", sweeper.sweep, _SWEEP_SECONDS, stop),
        start_chore("queueing by reference", lambda: feeder.feed(stop), _FEED_SECONDS, stop),
        start_chore("expiring tickets", lambda: give_up_tickets(store, deployment.skew), _EXPIRY_SECONDS, stop),
        start_chore("forgetting", lambda: forget(store, batches, settings, deployment.skew), _FORGET_SECONDS, stop),
        start_chore("deleting objects", batches.purge, _PURGE_SECONDS, stop),
        start_chore("answering dead letters", dead_letters.answer, _DEAD_LETTER_SECONDS, stop),
    ]
    log.info("listening to %s", settings.response_queue)
    Listener(lambda: deployment.response_queue, deployment.out_bucket, store).listen(stop)
    for chore in chores:
        chore.join()
    waker.close()
    store.close()
    log.info("stopped")


def give_up_tickets(store: Store, skew: Skew, clock: Callable[[], float] = time.time) -> None:
    """Give up uploads straight to S3 whose time is over, unless this machine's clock may be wrong."""
    if skew.surely_right():
        expire(store.database, clock())


def forget(
    store: Store, batches: Batches, settings: WebSettings, skew: Skew, clock: Callable[[], float] = time.time
) -> None:
    """Drop what is older than the buckets keep it from the store, unless this machine's clock may be wrong."""
    if skew.surely_right():
        store.forget(clock() - settings.retention_days * _DAY_SECONDS, _FORGET_AT_ONCE)
        batches.forget()


if __name__ == "__main__":
    main()
