"""The thin module over SQS: one queue's messages, sent, received, kept hidden and deleted in batches of ten."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from botocore.exceptions import ClientError

from novaburst.bounds import LONG_POLL_SECONDS, SQS_BATCH
from novaburst.replies import ReplyError

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

log = logging.getLogger(__name__)


class QueueAttributesError(RuntimeError):
    """SQS answered without a count that was asked for; it must never be taken for zero."""


class _Hidden(TypedDict, total=False):
    VisibilityTimeout: int


@dataclass(frozen=True)
class Received:
    """A message in flight: hidden from others until its visibility timeout ends."""

    message_id: str
    body: str
    receipt_handle: str
    # ApproximateReceiveCount: 1 at the first delivery.
    receive_count: int
    # Milliseconds since the epoch at which SQS took the message.
    sent_ms: int


@dataclass(frozen=True)
class Depth:
    """Approximate numbers of messages, as SQS counts them."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def backlog(self) -> int:
        """All messages that are not deleted yet."""
        return self.visible + self.in_flight + self.delayed


class Queue:
    """One SQS queue. Safe to share between threads, as its client is."""

    def __init__(self, client: "SQSClient", name: str) -> None:
        """Find the queue by name.

        Raises:
            botocore.exceptions.ClientError: no such queue, or no permission.
            ReplyError: SQS's answer is not of the form that it should have, as from each method below.
        """
        self._client = client
        self.name = name
        response = client.get_queue_url(QueueName=name)
        with _read():
            self.url = response["QueueUrl"]

    def send(self, bodies: Sequence[str]) -> list[int]:
        """Send each body as one message; the indices of those that SQS did not take are returned."""
        failed: list[int] = []
        for start in range(0, len(bodies), SQS_BATCH):
            page = range(start, min(start + SQS_BATCH, len(bodies)))
            entries = [{"Id": str(index), "MessageBody": bodies[index]} for index in page]
            response = self._client.send_message_batch(QueueUrl=self.url, Entries=entries)  # type: ignore[arg-type]
            # Only what it names: boto3 takes an empty 200 of something on the way for an answer.
            with _read():
                taken = {entry["Id"] for entry in response.get("Successful", [])}
            failed += [index for index in page if str(index) not in taken]
        return failed

    def receive(
        self, *, at_most: int = SQS_BATCH, wait_seconds: int = LONG_POLL_SECONDS, hide_seconds: int | None = None
    ) -> list[Received]:
        """Take up to `at_most` (10 at the most) messages, waiting up to `wait_seconds` for the first.

        They are hidden for `hide_seconds`, or as long as the queue's own setting says.
        """
        hidden: _Hidden = {} if hide_seconds is None else {"VisibilityTimeout": hide_seconds}
        response = self._client.receive_message(
            **hidden,
            QueueUrl=self.url,
            MaxNumberOfMessages=at_most,
            WaitTimeSeconds=wait_seconds,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        )
        with _read():
            return [
                Received(
                    message_id=message["MessageId"],
                    body=message["Body"],
                    receipt_handle=message["ReceiptHandle"],
                    receive_count=int(message["Attributes"]["ApproximateReceiveCount"]),
                    sent_ms=int(message["Attributes"]["SentTimestamp"]),
                )
                for message in response.get("Messages", [])
            ]

    def delete(self, messages: Sequence[Received]) -> list[Received]:
        """Delete messages; those that SQS did not delete (an expired receipt, say) are returned and logged."""
        failed: list[Received] = []
        for batch in _batches(messages):
            response = self._client.delete_message_batch(
                QueueUrl=self.url,
                Entries=[{"Id": str(n), "ReceiptHandle": m.receipt_handle} for n, m in enumerate(batch)],
            )
            for number, entry in _refused(response, len(batch)).items():
                log.warning("%s: message not deleted: %s", self.name, entry.get("Code"))
                failed.append(batch[number])
        return failed

    def set_visibility(self, messages: Sequence[Received], seconds: int) -> list[Received]:
        """Hide messages for `seconds` from now (0 gives them back); those whose receipts are good no more are returned.

        What SQS failed at by itself is logged only: another time it may well take the same receipt.

        Raises:
            botocore.exceptions.ClientError, ReplyError: a call failed, after all were made.
        """
        expired: list[Received] = []
        failure: ClientError | ReplyError | None = None
        for batch in _batches(messages):
            try:
                response = self._client.change_message_visibility_batch(
                    QueueUrl=self.url,
                    Entries=[
                        {"Id": str(n), "ReceiptHandle": m.receipt_handle, "VisibilityTimeout": seconds}
                        for n, m in enumerate(batch)
                    ],
                )
                refused = _refused(response, len(batch))
            # A throttled call says nothing of the next one, whose messages would be others' in the meantime.
            except (ClientError, ReplyError) as error:
                failure = error
                continue
            for number, entry in refused.items():
                log.warning("%s: visibility not changed: %s", self.name, entry.get("Code"))
                if entry.get("SenderFault"):
                    expired.append(batch[number])
        if failure is not None:
            raise failure
        return expired

    def depth(self) -> Depth:
        """The queue's counts.

        Raises:
            QueueAttributesError: SQS left one out.
        """
        attributes = self._client.get_queue_attributes(
            QueueUrl=self.url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
                "ApproximateNumberOfMessagesDelayed",
            ],
        ).get("Attributes", {})
        try:
            return Depth(
                visible=int(attributes["ApproximateNumberOfMessages"]),
                in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
                delayed=int(attributes["ApproximateNumberOfMessagesDelayed"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise QueueAttributesError(f"{self.name}: {error!r} in {attributes!r}") from error


def _batches(messages: Sequence[Received]) -> Iterator[Sequence[Received]]:
    for start in range(0, len(messages), SQS_BATCH):
        yield messages[start : start + SQS_BATCH]


def _refused(response: Mapping[str, Any], entries: int) -> dict[int, Mapping[str, Any]]:
    """What SQS says of those entries that it has refused, by number; each must be named as done or refused."""
    with _read():
        refused: dict[int, Mapping[str, Any]] = {int(entry["Id"]): entry for entry in response.get("Failed", [])}
        named = refused.keys() | {int(entry["Id"]) for entry in response.get("Successful", [])}
    if named != set(range(entries)):
        raise ReplyError(reason=f"it names {sorted(named)} of {entries} entries")
    return refused


@contextmanager
def _read() -> Iterator[None]:
    """Around the reading of an answer: a member that is missing, or of another form."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise ReplyError(reason=repr(error)) from error
