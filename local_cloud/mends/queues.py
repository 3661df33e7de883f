"""SQS: exact under several consumers, and as fast with thousands of queued messages as with none."""

import json
import threading
import time
from typing import Any

from moto.core.utils import camelcase_to_underscores
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Message, Queue, SQSBackend

from local_cloud.mends.patching import replace

# The longest time between two looks at a queue while a receiver waits, in seconds: a message whose visibility timeout
# ends announces itself to nobody.
_LOOK_SECONDS = 0.25
# Set at the end of the embedded AWS: nobody is left who would send what a receiver waits for.
ENDING = threading.Event()
_GUARDED = (
    "send_message",
    "send_message_batch",
    "delete_message",
    "delete_message_batch",
    "change_message_visibility",
    "change_message_visibility_batch",
    "get_queue_attributes",
    "purge_queue",
)


def apply() -> None:
    """Install the mends of this module."""
    _one_caller_at_a_time()
    _receive_waits_without_the_lock()
    _only_the_latest_receipt_handle_deletes()
    _counting_is_cheap()
    _attributes_are_read_one_by_one()
    _retention_is_read_not_recomputed()
    _sending_fires_no_event_source()
    _sent_messages_are_counted()


def _one_caller_at_a_time() -> None:
    # Why: moto's queues are plain lists and sets changed by every request thread: 500s and duplicates under load.
    for name in _GUARDED:

        @replace(SQSBackend, name)
        def guarded(original: Any, self: SQSBackend, queue_name: str, *args: Any, **kwargs: Any) -> Any:
            with self.get_queue(queue_name)._messages_lock:
                return original(self, queue_name, *args, **kwargs)


def _receive_waits_without_the_lock() -> None:
    # Why: a long poll must not keep the others out, and must end when its time is over, not up to a second later.
    @replace(SQSBackend, "receive_message")
    def receive_message(  # noqa: PLR0917 - moto's own signature
        original: Any,
        self: SQSBackend,
        queue_name: str,
        count: int,
        wait_seconds_timeout: float,
        visibility_timeout: int,
        message_attribute_names: list[str] | None = None,
    ) -> list[Message]:
        queue = self.get_queue(queue_name)
        deadline = time.monotonic() + wait_seconds_timeout
        while True:
            with queue._messages_lock:
                received: list[Message] = original(
                    self, queue_name, count, 0, visibility_timeout, message_attribute_names
                )
                remaining = deadline - time.monotonic()
                if received or remaining <= 0 or ENDING.is_set():
                    return received
                queue._messages_lock.wait(min(remaining, _LOOK_SECONDS))


def _only_the_latest_receipt_handle_deletes() -> None:
    # Why: on AWS a delete with the handle of an earlier receive succeeds and deletes nothing (DeleteMessage's notes);
    # moto deletes, which hides the fault of a worker that outlived its visibility timeout.
    @replace(Queue, "delete_message")
    def delete_message(original: Any, self: Queue, receipt_handle: str) -> None:
        for index, message in enumerate(self._messages):
            if message.receipt_handle == receipt_handle:
                del self._messages[index]
                self.pending_messages.discard(message)
                self.deleted_messages.add(receipt_handle)
                self.deleted_messages.update(filter(None, message._old_receipt_handles))
                self.deleted_count = deleted_count(self) + 1  # type: ignore[attr-defined] # ours
                return
            if receipt_handle in message._old_receipt_handles:
                return
        if receipt_handle not in self.deleted_messages:
            raise ReceiptHandleIsInvalid


def _counting_is_cheap() -> None:
    # Why: moto asks the clock twice for each message at each count, and receiving counts.
    def messages(self: Queue) -> list[Message]:
        now = time.time() * 1000
        return [m for m in self._messages if now > m.visible_at and now >= m.delayed_until]

    def not_visible(self: Queue) -> int:
        now = time.time() * 1000
        return sum(now <= m.visible_at for m in self._messages)

    def delayed(self: Queue) -> int:
        now = time.time() * 1000
        return sum(now < m.delayed_until for m in self._messages)

    setattr(Queue, "messages", property(messages))  # noqa: B010 - an assignment would not type-check
    setattr(Queue, "approximate_number_of_messages_not_visible", property(not_visible))  # noqa: B010
    setattr(Queue, "approximate_number_of_messages_delayed", property(delayed))  # noqa: B010


def _attributes_are_read_one_by_one() -> None:
    # Why: `attributes` recounts the whole queue, and sending one message reads it for one constant.
    class Attributes(dict[str, Any]):
        def __init__(self, queue: Queue) -> None:
            super().__init__()
            self._queue = queue
            self._names = [*queue.BASE_ATTRIBUTES]
            if queue.fifo_queue:
                self._names += queue.FIFO_ATTRIBUTES
            if queue.kms_master_key_id:  # type: ignore[attr-defined] # moto sets it with setattr
                self._names += queue.KMS_ATTRIBUTES

        def __missing__(self, name: str) -> Any:
            if name not in self._names:
                raise KeyError(name)
            value = getattr(self._queue, camelcase_to_underscores(name))
            if name == "RedrivePolicy" and value:
                value = json.dumps(value)
            self[name] = str(value).lower() if isinstance(value, bool) else value
            return self[name]

        def get(self, name: str, default: Any = None) -> Any:
            return self[name] if name in self else default  # noqa: SIM401 - this is that method

        def __contains__(self, name: object) -> bool:
            return name in self._names

        def __iter__(self) -> Any:
            return iter(self._names)

        def items(self) -> Any:
            return [(name, self[name]) for name in self._names]

    setattr(Queue, "attributes", property(Attributes))  # noqa: B010


def _retention_is_read_not_recomputed() -> None:
    # Why: the retention check of each received message recomputed every attribute of the queue; and where moto stops
    # at an expired message, AWS has already thrown it away.
    @replace(SQSBackend, "is_message_valid_based_on_retention_period")
    def is_valid(original: Any, self: SQSBackend, queue_name: str, message: Message) -> bool:
        retention: int = self.get_queue(queue_name).message_retention_period  # type: ignore[attr-defined] # as above
        return bool(message.sent_timestamp / 1000 + retention > time.time())  # type: ignore[operator] # set when sent


def _sending_fires_no_event_source() -> None:
    # Why: moto invokes the Lambda of an event source mapping inside the send, message by message; AWS polls the queue
    # with a batching window, as `local_cloud.event_sources` does.
    @replace(Queue, "add_message")
    def add_message(original: Any, self: Queue, message: Message) -> None:
        mappings, self.lambda_event_source_mappings = self.lambda_event_source_mappings, {}
        try:
            original(self, message)
        finally:
            self.lambda_event_source_mappings = mappings


def _sent_messages_are_counted() -> None:
    # Why: CloudWatch has how many messages were sent to a queue, as of deleted ones; moto has no such metric.
    @replace(SQSBackend, "send_message")
    def send_message(original: Any, self: SQSBackend, queue_name: str, *args: Any, **kwargs: Any) -> Message:
        message: Message = original(self, queue_name, *args, **kwargs)
        queue = self.get_queue(queue_name)
        with queue._messages_lock:
            queue.sent_count = sent_count(queue) + 1  # type: ignore[attr-defined] # ours
        return message


def sent_count(queue: Queue) -> int:
    """How many messages have been sent to a queue since it was made."""
    return getattr(queue, "sent_count", 0)


def deleted_count(queue: Queue) -> int:
    """How many messages have been deleted from a queue since it was made."""
    return getattr(queue, "deleted_count", 0)
