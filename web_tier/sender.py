"""Sends requests to SQS for all uploads of a process: what waits while one call runs goes with the next, by tens."""

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from botocore.exceptions import BotoCoreError, ClientError

from novaburst.bounds import SQS_BATCH
from novaburst.contract import Request
from novaburst.queues import Queue
from web_tier.store import Store

log = logging.getLogger(__name__)

_THREADS = 2
# Waits before each further attempt for the messages that a call left over, in seconds.
_RETRY_AFTER = (0.1, 0.5, 2.0)
# How long after the first attempt the last one may begin, in seconds: a client waits, and holds a thread.
_PATIENCE_SECONDS = 15.0


class Sender:
    """The way into the request queue. Its threads start with the first request, so after any fork."""

    def __init__(
        self,
        request_queue: Callable[[], Queue],
        store: Store,
        on_queued: Callable[[], None],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._request_queue = request_queue
        self._store = store
        self._on_queued = on_queued
        self._clock = clock
        self._waiting: queue.SimpleQueue[tuple[Request, Future[bool]] | None] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._threads: list[threading.Thread] = []

    def submit(self, request: Request) -> "Future[bool]":
        """Send a request soon; the future says whether SQS took it, after the store knows.

        Raises:
            RuntimeError: this process may start no thread now; the request is not sent.
        """
        with self._starting:
            while len(self._threads) < _THREADS:
                thread = threading.Thread(target=self._run, name=f"sender-{len(self._threads)}", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    if not self._threads:
                        raise
                    # One alone sends as well; the next request tries to start the other.
                    break
                self._threads.append(thread)
        future: Future[bool] = Future()
        self._waiting.put((request, future))
        return future

    def close(self) -> None:
        """Send what was submitted, then end the threads."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            jobs = [first]
            while len(jobs) < SQS_BATCH:
                try:
                    job = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if job is None:
                    self._waiting.put(None)
                    break
                jobs.append(job)
            try:
                taken = self._send([request for request, _ in jobs])
                for request, future in jobs:
                    future.set_result(request.id in taken)
            except Exception as error:  # the thread must outlive any fault; each upload reports it
                log.exception("%d requests were not sent", len(jobs))
                for _, future in jobs:
                    if not future.done():
                        future.set_exception(error)

    def _send(self, requests: Sequence[Request]) -> set[str]:
        left, began = list(requests), time.monotonic()
        for pause in (0.0, *_RETRY_AFTER):
            time.sleep(pause)
            left = self._attempt(left)
            if not left or time.monotonic() - began > _PATIENCE_SECONDS:
                break
        if left:
            log.error("SQS did not take %d of %d requests", len(left), len(requests))
        taken = {request.id for request in requests} - {request.id for request in left}
        if taken:
            try:
                self._store.mark_queued(sorted(taken), self._clock())
            except sqlite3.Error:
                # They are queued all the same; the sweeper queues them a second time, which is harmless.
                log.exception("%d queued images could not be marked", len(taken))
            self._on_queued()
        return taken

    def _attempt(self, requests: Sequence[Request]) -> list[Request]:
        try:
            failed = self._request_queue().send([request.to_message() for request in requests])
        except (BotoCoreError, ClientError) as error:
            log.warning("sending %d requests failed: %s", len(requests), error)
            return list(requests)
        return [requests[index] for index in failed]
