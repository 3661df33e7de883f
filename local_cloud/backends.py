"""What the actors of the embedded AWS read and change in moto, in process, as plain values.

Besides the mends, the only module that knows moto's classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from moto.awslambda.models import lambda_backends
from moto.cloudwatch.models import Alarm, MetricAggregatedDatum, MetricDatum, MetricDatumBase, cloudwatch_backends
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.instances import Instance, StateReason
from moto.events.models import events_backends
from moto.sqs.exceptions import QueueDoesNotExist, ReceiptHandleIsInvalid
from moto.sqs.models import sqs_backends

from local_cloud.alarm_evaluation import AlarmState, Definition, Query
from local_cloud.instance import InstanceView
from local_cloud.lambda_host import FunctionCode
from local_cloud.mends import instances
from local_cloud.mends.functions import code_of
from local_cloud.mends.queues import deleted_count, sent_count
from local_cloud.metrics import MetricId, Statistics

# moto's account for credentials that it did not make.
ACCOUNT = "123456789012"


@dataclass(frozen=True)
class QueueDepths:
    """How many messages a queue holds, by kind, and the age of the oldest (seconds; 0 for an empty queue).

    `sent` and `deleted` are all that were ever sent to it, and deleted from it.
    """

    name: str
    visible: int
    not_visible: int
    delayed: int
    oldest_age_seconds: float
    sent: int
    deleted: int


@dataclass(frozen=True)
class ReceivedMessage:
    """A message as an event source mapping receives it."""

    id: str
    receipt_handle: str
    body: str
    body_md5: str
    attributes: dict[str, str]


@dataclass(frozen=True)
class QueueMapping:
    """An enabled event source mapping from a queue to a function."""

    id: str
    queue_arn: str
    function_arn: str
    batch_size: int
    window_seconds: float
    reports_item_failures: bool


@dataclass(frozen=True)
class ScheduledRule:
    """An enabled EventBridge rule with a schedule, and the functions it starts, each with its fixed input if any."""

    arn: str
    expression: str
    targets: tuple[tuple[str, str | None], ...]


class Backends:
    """One account and region of the embedded AWS."""

    def __init__(self, region: str) -> None:
        self.region = region
        self.account = ACCOUNT

    # Queues

    def queue_depths(self, now: float) -> list[QueueDepths]:
        """The depths of every queue at `now` (seconds since the epoch)."""
        return [
            QueueDepths(
                name=queue.name,
                visible=queue.approximate_number_of_messages,
                not_visible=queue.approximate_number_of_messages_not_visible,
                delayed=queue.approximate_number_of_messages_delayed,
                oldest_age_seconds=max(
                    (now - (m.sent_timestamp or 0) / 1000 for m in list(queue._messages)), default=0
                ),
                sent=sent_count(queue),
                deleted=deleted_count(queue),
            )
            for queue in list(sqs_backends[self.account][self.region].queues.values())
        ]

    def receive(self, queue_arn: str, count: int, wait_seconds: float) -> list[ReceivedMessage]:
        """Take up to `count` messages for the queue's own visibility timeout; an absent queue has none."""
        backend = sqs_backends[self.account][self.region]
        name = queue_arn.rsplit(":", 1)[-1]
        try:
            visibility: int = backend.get_queue(name).visibility_timeout  # type: ignore[attr-defined] # setattr in moto
            messages = backend.receive_message(name, count, wait_seconds, visibility)  # type: ignore[arg-type] # mended
        except QueueDoesNotExist:
            return []
        return [
            ReceivedMessage(
                id=message.id,
                receipt_handle=message.receipt_handle or "",
                body=message.body,
                body_md5=message.body_md5,
                attributes={
                    "ApproximateReceiveCount": str(message.approximate_receive_count),
                    "SentTimestamp": str(message.sent_timestamp),
                    "SenderId": message.sender_id,
                    "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
                },
            )
            for message in messages
        ]

    def delete(self, queue_arn: str, receipt_handles: list[str]) -> None:
        """Delete messages; one that is gone already is no error."""
        backend = sqs_backends[self.account][self.region]
        for handle in receipt_handles:
            try:
                backend.delete_message(queue_arn.rsplit(":", 1)[-1], handle)
            except (QueueDoesNotExist, ReceiptHandleIsInvalid):
                continue

    # Functions and what invokes them

    def function(self, arn: str) -> FunctionCode | None:
        """A deployed function, or None."""
        function = lambda_backends[self.account][self.region].get_function_by_arn(arn)
        return code_of(function) if function else None

    def queue_mappings(self) -> list[QueueMapping]:
        """Every enabled event source mapping of a queue."""
        mappings = list(lambda_backends[self.account][self.region]._event_source_mappings.values())
        return [
            QueueMapping(
                id=mapping.uuid,
                queue_arn=mapping.event_source_arn,
                function_arn=mapping.function_arn,
                batch_size=mapping.batch_size,
                window_seconds=float(mapping.max_batch_window or 0),
                reports_item_failures="ReportBatchItemFailures" in (mapping.function_response_types or []),
            )
            for mapping in mappings
            if mapping.enabled and mapping.event_source_arn.split(":")[2] == "sqs"
        ]

    def scheduled_rules(self) -> list[ScheduledRule]:
        """Every enabled rule with a schedule."""
        rules = list(events_backends[self.account][self.region].event_buses["default"].rules.values())
        return [
            ScheduledRule(
                arn=rule.arn,
                expression=rule.scheduled_expression,
                targets=tuple(
                    (target["Arn"], target.get("Input"))
                    for target in rule.targets
                    if target["Arn"].split(":")[2] == "lambda"
                ),
            )
            for rule in rules
            if rule.scheduled_expression and rule.state == "ENABLED"
        ]

    # Metrics and alarms

    def publish_metric(self, metric: MetricId, at: float, statistics: Statistics, unit: str) -> None:
        """Store statistics of the moment `at` (seconds since the epoch), as the service behind a metric does."""
        cloudwatch_backends[self.account][self.region].metric_data.append(
            MetricAggregatedDatum(
                namespace=metric.namespace,
                name=metric.name,
                min_stat=statistics.minimum,
                max_stat=statistics.maximum,
                sample_count=statistics.count,
                sum_stat=statistics.total,
                dimensions=[{"Name": name, "Value": value} for name, value in metric.dimensions],
                timestamp=datetime.fromtimestamp(at, UTC).replace(tzinfo=None),
                unit=unit,
            )
        )

    def forget_metrics(self, before: float) -> None:
        """Drop every datum older than `before` (seconds since the epoch)."""
        backend = cloudwatch_backends[self.account][self.region]
        backend.metric_data = [datum for datum in backend.metric_data if _epoch(datum.timestamp) >= before]

    def metric_data(self, metric: MetricId, start: float) -> list[tuple[float, Statistics]]:
        """What was stored for a metric from `start` on: (time, statistics), seconds since the epoch."""
        dimensions = sorted(metric.dimensions)
        return [
            (_epoch(datum.timestamp), _statistics(datum))
            for datum in list(cloudwatch_backends[self.account][self.region].metric_data)
            if datum.name == metric.name
            and datum.namespace == metric.namespace
            and sorted((d.name, d.value) for d in datum.dimensions) == dimensions
            and _epoch(datum.timestamp) >= start
        ]

    def alarms(self) -> list[tuple[Definition, AlarmState]]:
        """Every metric alarm with its present state."""
        return [
            (_definition(alarm), AlarmState(alarm.state_value))
            for alarm in list(cloudwatch_backends[self.account][self.region].alarms.values())
            if alarm.rule is None
        ]

    def set_alarm_state(self, name: str, state: AlarmState, reason: str) -> None:
        """Change an alarm's state, which runs its actions."""
        cloudwatch_backends[self.account][self.region].set_alarm_state(name, reason, "{}", state.value)

    # Instances

    def instances(self) -> list[InstanceView]:
        """Every instance that EC2 knows, terminated ones too."""
        return [self._view(instance) for instance in self._ec2.all_instances()]

    def set_running(self, instance_id: str) -> None:
        """The instance has booted."""
        self._move(instance_id, instances.PENDING, instances.RUNNING)

    def set_terminated(self, instance_id: str) -> None:
        """Nothing of a terminated instance runs any more."""
        self._move(instance_id, instances.SHUTTING_DOWN, instances.TERMINATED)

    def set_stopped(self, instance_id: str) -> None:
        """Nothing of a stopped instance runs any more."""
        self._move(instance_id, instances.STOPPING, instances.STOPPED)

    def power_off(self, instance_id: str) -> None:
        """The instance shut itself down: it is stopped or terminated, as its shutdown behaviour says."""
        instance = self._ec2.get_instance(instance_id)
        if instance.instance_initiated_shutdown_behavior == "terminate":
            instance.terminate()
        else:
            instance.stop()
        code = "Client.InstanceInitiatedShutdown"
        instance.state_reason = StateReason(f"{code}: Instance initiated shutdown", code)

    @property
    def _ec2(self) -> EC2Backend:
        backend: EC2Backend = ec2_backends[self.account][self.region]
        return backend

    def _move(self, instance_id: str, before: tuple[int, str], after: tuple[int, str]) -> None:
        instance = self._ec2.get_instance(instance_id)
        if instance.state == before[1]:
            instances.set_state(instance, after)

    def _view(self, instance: Instance) -> InstanceView:
        association = self._ec2.iam_instance_profile_associations.get(instance.id)
        roles = association.iam_instance_profile.roles if association else []
        with_tags = instance.metadata_options.instance_metadata_tags == "enabled"
        return InstanceView(
            id=instance.id,
            launch_index=int(instance.ami_launch_index),
            state=instance.state,
            type=instance.instance_type,
            image_id=instance.image_id,
            region=self.region,
            zone=instance.availability_zone or "",
            account=self.account,
            private_address=instance.private_ip or "",
            role=roles[0].name if roles else None,
            metadata_tags={tag["key"]: tag["value"] for tag in instance.get_tags()} if with_tags else None,
            user_data=instance.user_data.decode() if instance.user_data else "",
        )


def _epoch(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp() if moment.tzinfo is None else moment.timestamp()


def _statistics(datum: MetricDatumBase) -> Statistics:
    if isinstance(datum, MetricAggregatedDatum):
        return Statistics(float(datum.min), float(datum.max), float(datum.sum), float(datum.sample_count))
    assert isinstance(datum, MetricDatum)  # noqa: S101 - moto has these two kinds
    value = float(datum.value)
    return Statistics(value, value, value, 1)


def _definition(alarm: Alarm) -> Definition:
    return Definition(
        name=alarm.name,
        comparison=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        evaluation_periods=int(alarm.evaluation_periods),
        datapoints_to_alarm=int(alarm.datapoints_to_alarm or alarm.evaluation_periods),
        missing_data=alarm.treat_missing_data or "missing",
        queries=tuple(_queries(alarm)),
    )


def _queries(alarm: Alarm) -> Iterator[Query]:
    if not alarm.metric_data_queries:
        dimensions = tuple((d.name or "", d.value or "") for d in alarm.dimensions)
        metric = MetricId(alarm.namespace, alarm.metric_name, dimensions)
        yield Query("alarm", True, metric=metric, period_seconds=int(alarm.period), statistic=alarm.statistic)
        return
    for query in alarm.metric_data_queries:
        returned = str(query.return_data).lower() != "false"
        if query.metric_stat is None:
            yield Query(query.id, returned, expression=query.expression)
            continue
        stat = query.metric_stat
        dimensions = tuple((d.name or "", d.value or "") for d in stat.metric.dimensions)
        metric = MetricId(stat.metric.namespace, stat.metric.metric_name, dimensions)
        yield Query(query.id, returned, metric=metric, period_seconds=int(stat.period), statistic=stat.stat)
