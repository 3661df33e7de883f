"""The thin module over SQS: one queue's messages, sent, received, kept hidden and deleted in batches of ten."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from novaburst.bounds import LONG_POLL_SECONDS, SQS_BATCH

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
        """
        self._client = client
        self.name = name
        self.url = client.get_queue_url(QueueName=name)["QueueUrl"]

    def send(self, bodies: Sequence[str]) -> list[int]:
        """Send each body as one message; the indices of those that SQS did not take are returned."""
        failed: list[int] = []
        for start in range(0, len(bodies), SQS_BATCH):
            page = range(start, min(start + SQS_BATCH, len(bodies)))
            entries = [{"Id": str(index), "MessageBody": bodies[index]} for index in page]
            response = self._client.send_message_batch(QueueUrl=self.url, Entries=entries)  # type: ignore[arg-type]
            # Only what it names: boto3 takes a 200 of something on the way, whose body it cannot read, for an answer.
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
            for entry in response.get("Failed", []):
                log.warning("%s: message not deleted: %s", self.name, entry.get("Code"))
                failed.append(batch[int(entry["Id"])])
        return failed

    def set_visibility(self, messages: Sequence[Received], seconds: int) -> list[Received]:
        """Hide messages for `seconds` from now (0 gives them back); those whose receipts SQS refuses are returned.

        Where SQS itself fails with a message, that is logged, and the next time may do.
        """
        refused: list[Received] = []
        for batch in _batches(messages):
            response = self._client.change_message_visibility_batch(
                QueueUrl=self.url,
                Entries=[
                    {"Id": str(n), "ReceiptHandle": m.receipt_handle, "VisibilityTimeout": seconds}
                    for n, m in enumerate(batch)
                ],
            )
            for entry in response.get("Failed", []):
                log.warning("%s: visibility not changed: %s", self.name, entry.get("Code"))
                if entry.get("SenderFault"):
                    refused.append(batch[int(entry["Id"])])
        return refused

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
        except (KeyError, ValueError) as error:
            raise QueueAttributesError(f"{self.name}: {error!r} in {attributes!r}") from error


def _batches(messages: Sequence[Received]) -> Iterator[Sequence[Received]]:
    for start in range(0, len(messages), SQS_BATCH):
        yield messages[start : start + SQS_BATCH]
