"""Polls queues for the functions they are mapped to, in batches within a batching window, as Lambda's pollers do."""

import concurrent.futures
import json
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from local_cloud.backends import Backends, QueueMapping, ReceivedMessage
from local_cloud.lambda_host import LambdaHost, Outcome

log = logging.getLogger(__name__)

# Batches of one mapping that run at the same time: what Lambda begins with.
_CONCURRENT_BATCHES = 5
# One look at a queue, in seconds: short, so that a mapping that was deleted or disabled stops soon.
_POLL_SECONDS = 1.0
_LOOK_SECONDS = 0.5
# What one receive call may take.
_RECEIVE_AT_MOST = 10


class EventSources:
    """Keeps one poller for each enabled mapping."""

    def __init__(self, backends: Backends, host: LambdaHost) -> None:
        self._backends = backends
        self._host = host
        self._pollers: dict[QueueMapping, _Poller] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="event-sources")

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def stop(self) -> None:
        """End every poller; messages they hold become visible again by themselves."""
        self._stopping.set()
        self._thread.join()
        for poller in self._pollers.values():
            poller.stopping.set()
        for poller in self._pollers.values():
            poller.join()

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            try:
                self._follow(self._backends.queue_mappings())
            except Exception:
                log.exception("event source mappings")

    def _follow(self, mappings: Sequence[QueueMapping]) -> None:
        # A changed mapping is another value: its old poller ends, a new one starts.
        for gone in [mapping for mapping in self._pollers if mapping not in mappings]:
            self._pollers.pop(gone).stopping.set()
        for mapping in mappings:
            if mapping not in self._pollers:
                self._pollers[mapping] = _Poller(mapping, self._backends, self._host)
                self._pollers[mapping].start()
                function = self._backends.function(mapping.function_arn)
                if function is not None:
                    self._host.prepare(function)


class _Poller(threading.Thread):
    """Gathers batches of one mapping and hands them to its function."""

    def __init__(self, mapping: QueueMapping, backends: Backends, host: LambdaHost) -> None:
        super().__init__(name=f"poller-{mapping.id}")
        self.stopping = threading.Event()
        self._mapping = mapping
        self._backends = backends
        self._host = host
        self._running = threading.BoundedSemaphore(_CONCURRENT_BATCHES)
        self._threads = concurrent.futures.ThreadPoolExecutor(_CONCURRENT_BATCHES, thread_name_prefix=self.name)

    def run(self) -> None:
        while not self.stopping.is_set():
            if not self._running.acquire(timeout=_POLL_SECONDS):
                continue
            batch: list[ReceivedMessage] = []
            try:
                batch = self._gather()
            except Exception:
                log.exception("polling %s", self._mapping.queue_arn)
                self.stopping.wait(_POLL_SECONDS)
            if batch and not self.stopping.is_set():
                self._threads.submit(self._process, batch)
            else:
                self._running.release()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _gather(self) -> list[ReceivedMessage]:
        """A batch: complete when it is full, or when the window that its first message opened is over."""
        mapping = self._mapping
        batch = self._receive(mapping.batch_size, _POLL_SECONDS)
        closes = time.monotonic() + mapping.window_seconds
        while batch and len(batch) < mapping.batch_size and not self.stopping.is_set():
            remaining = closes - time.monotonic()
            if remaining <= 0:
                break
            batch += self._receive(mapping.batch_size - len(batch), min(remaining, _POLL_SECONDS))
        return batch

    def _receive(self, count: int, wait_seconds: float) -> list[ReceivedMessage]:
        return self._backends.receive(self._mapping.queue_arn, min(count, _RECEIVE_AT_MOST), wait_seconds)

    def _process(self, batch: list[ReceivedMessage]) -> None:
        mapping = self._mapping
        try:
            function = self._backends.function(mapping.function_arn)
            if function is None:
                log.warning("mapping %s: function %s is not deployed", mapping.id, mapping.function_arn)
                return
            event = queue_event(batch, mapping.queue_arn)
            outcome = self._host.invoke(function, json.dumps(event))
            if outcome.error_kind is not None and not self.stopping.is_set():
                log.error("function %s failed on a batch of %d: %s", function.name, len(batch), outcome.payload)
            self._backends.delete(mapping.queue_arn, processed(batch, outcome, mapping.reports_item_failures))
        except Exception:
            log.exception("a batch of %d from %s", len(batch), mapping.queue_arn)
        finally:
            self._running.release()


def queue_event(batch: Sequence[ReceivedMessage], queue_arn: str) -> dict[str, Any]:
    """The event with which Lambda hands a batch of messages to a function."""
    return {
        "Records": [
            {
                "messageId": message.id,
                "receiptHandle": message.receipt_handle,
                "body": message.body,
                "attributes": message.attributes,
                "messageAttributes": {},
                "md5OfBody": message.body_md5,
                "eventSource": "aws:sqs",
                "eventSourceARN": queue_arn,
                "awsRegion": queue_arn.split(":")[3],
            }
            for message in batch
        ]
    }


def processed(batch: Sequence[ReceivedMessage], outcome: Outcome, reports_item_failures: bool) -> list[str]:
    """The receipt handles to delete: all after success, none after an error, and not the failures that are reported.

    With ReportBatchItemFailures an answer that is not of its form counts as a failure of the whole batch.
    """
    if outcome.error_kind is not None:
        return []
    failed: set[str] = set()
    if reports_item_failures:
        try:
            answer = json.loads(outcome.payload) or {}
            failed = {entry["itemIdentifier"] for entry in answer.get("batchItemFailures") or []}
        except (AttributeError, KeyError, TypeError, ValueError):
            return []
        if not failed <= {message.id for message in batch}:
            return []
    return [message.receipt_handle for message in batch if message.id not in failed]
