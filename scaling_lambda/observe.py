"""Queue and fleet as AWS reports them, turned into an Observation. Anything missing is an error, never a zero."""

from datetime import datetime
from typing import TYPE_CHECKING

from scaling_lambda.fleet import FLEET_TAG, Counts, Instance, Observation, State

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.literals import QueueAttributeNameType

_VISIBLE: "QueueAttributeNameType" = "ApproximateNumberOfMessages"
_IN_FLIGHT: "QueueAttributeNameType" = "ApproximateNumberOfMessagesNotVisible"
_DELAYED: "QueueAttributeNameType" = "ApproximateNumberOfMessagesDelayed"


class ObservationError(RuntimeError):
    """AWS left something out of its answer, so nothing can be decided from it."""


class Observer:
    """Looks at one request queue and one fleet. Safe to keep between invocations of the Lambda."""

    def __init__(self, sqs: "SQSClient", ec2: "EC2Client", queue: str, fleet: str) -> None:
        self._sqs = sqs
        self._ec2 = ec2
        self._queue = queue
        self._fleet = fleet
        self._url: str | None = None

    def observe(self, now: datetime) -> Observation:
        """Queue and fleet at this moment.

        The queue is read first: work that arrives in between is then seen by the next evaluation rather than taken
        for work that the newest instances already have.

        Raises:
            ObservationError: a count, or an instance's state or launch time, is missing or unknown.
            botocore.exceptions.ClientError: no such queue, no permission, or throttled to the end.
        """
        counts = self.counts()
        return Observation(at=now, counts=counts, instances=self.instances())

    def counts(self) -> Counts:
        """The request queue's counts, as `observe` takes them."""
        if self._url is None:
            self._url = self._sqs.get_queue_url(QueueName=self._queue)["QueueUrl"]
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=[_VISIBLE, _IN_FLIGHT, _DELAYED])
        attributes = answer.get("Attributes", {})
        try:
            counts = Counts(int(attributes[_VISIBLE]), int(attributes[_IN_FLIGHT]), int(attributes[_DELAYED]))
        except (KeyError, ValueError) as error:
            raise ObservationError(f"queue {self._queue}: no usable counts ({error!r}) in {attributes!r}") from error
        if min(counts.visible, counts.in_flight, counts.delayed) < 0:
            raise ObservationError(f"queue {self._queue}: a negative count in {attributes!r}")
        return counts

    def instances(self) -> tuple[Instance, ...]:
        """Every instance with the fleet's tag, in whatever state, from all pages and all reservations.

        They are found by tag: a call that names ids fails as a whole as soon as one of them is forgotten.
        """
        pages = self._ec2.get_paginator("describe_instances").paginate(
            Filters=[{"Name": f"tag:{FLEET_TAG}", "Values": [self._fleet]}]
        )
        found: list[Instance] = []
        for page in pages:
            for reservation in page["Reservations"]:
                for described in reservation["Instances"]:
                    tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}
                    try:
                        found.append(
                            Instance.from_tags(
                                described["InstanceId"],
                                State(described["State"]["Name"]),
                                described["LaunchTime"],
                                tags,
                                instance_type=described.get("InstanceType"),
                                spot=described.get("InstanceLifecycle") == "spot",
                            )
                        )
                    except (KeyError, ValueError) as error:
                        raise ObservationError(f"an instance of fleet {self._fleet}: {error!r}") from error
        return tuple(found)
