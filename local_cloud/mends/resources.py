"""CloudFormation: the resource types that moto skips and calls complete, and changes that it does not notice.

moto finds a resource type by the subclasses of CloudFormationModel, so these are made as mends are applied and not
when this module is read. Intrinsic functions are resolved before a resource is made: what arrives here is plain values.
AWS::S3::BucketPolicy stays skipped: moto applies a Deny without looking at its condition, so a policy that demands TLS
would lock everybody out.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Self

from moto.cloudformation import parsing
from moto.cloudwatch.models import Alarm, Dimension, Metric, MetricDataQuery, MetricStat, cloudwatch_backends
from moto.core.common_models import CloudFormationModel
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

# The registered types: moto knows subclasses by weak references only.
_registered: list[type] = []


def apply() -> None:
    """Install the mends of this module, and register the resource types below."""
    _parameters_inside_sub_count_as_references()
    _an_update_honours_conditions()
    for kind in (MetricAlarm, TopicSubscription, QueuePolicy):
        _registered.append(type(kind.__name__, (kind, CloudFormationModel), {}))


def _an_update_honours_conditions() -> None:
    # Why: moto updates a resource whose condition is false as if it were there, or keeps it when that changes; and the
    # None that an update gives, as for one that is not there, is what it changes the next time.
    original = parsing.parse_and_update_resource

    def update(
        logical_id: str,
        resource_json: dict[str, Any],
        resources_map: Any,
        account_id: str,
        region_name: str,
    ) -> Any:
        present = resources_map._parsed_resources.get(logical_id)
        if present is None:
            resources_map._parsed_resources.pop(logical_id, None)
            return resources_map[logical_id]
        condition = resource_json.get("Condition")
        if condition is None or resources_map.lazy_condition_map[condition]:
            changed = original(logical_id, resource_json, resources_map, account_id, region_name)
            return present if changed is None else changed
        resources_map._delete_resource(present, resource_json)
        return None

    setattr(parsing, "parse_and_update_resource", update)  # noqa: B010 - called from inside that module


def _parameters_inside_sub_count_as_references() -> None:
    # Why: moto updates a resource whose template is unchanged only for a changed parameter that it finds in a Ref; a
    # launch template names its parameters inside Fn::Sub.
    original = parsing.get_references_from_template

    def references(template: Any) -> list[str]:
        found = original(template)
        for text in re.findall(r"\$\{([A-Za-z0-9]+)\}", json.dumps(template)):
            found.append(text)
        return found

    setattr(parsing, "get_references_from_template", references)  # noqa: B010 - called from inside that module


class _Resource:
    """What the resources below share: a changed one is deleted and made again under the same name."""

    def __init__(self, physical_resource_id: str, arn: str = "") -> None:
        self.physical_resource_id = physical_resource_id
        self.arn = arn

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        return self.arn

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> Any:
        original_resource.delete(account_id, region_name)
        return cls.create_from_cloudformation_json(  # type: ignore[attr-defined] # each resource has its own
            original_resource.physical_resource_id, cloudformation_json, account_id, region_name
        )


class MetricAlarm(_Resource):
    """AWS::CloudWatch::Alarm: without it the template's alarms do not exist."""

    @staticmethod
    def cloudformation_name_type() -> str:
        return "AlarmName"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::CloudWatch::Alarm"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> Self:
        wanted = cloudformation_json["Properties"]
        alarm: Alarm = cloudwatch_backends[account_id][region_name].put_metric_alarm(
            name=wanted.get("AlarmName", resource_name),
            namespace=wanted.get("Namespace"),
            metric_name=wanted.get("MetricName"),
            metric_data_queries=[_query(entry) for entry in wanted.get("Metrics", [])],
            comparison_operator=wanted["ComparisonOperator"],
            evaluation_periods=int(wanted["EvaluationPeriods"]),
            datapoints_to_alarm=int(wanted.get("DatapointsToAlarm", wanted["EvaluationPeriods"])),
            period=int(wanted["Period"]) if "Period" in wanted else None,  # type: ignore[arg-type] # metric math
            threshold=float(wanted["Threshold"]),
            statistic=wanted.get("Statistic"),
            extended_statistic=wanted.get("ExtendedStatistic"),
            description=wanted.get("AlarmDescription"),
            dimensions=wanted.get("Dimensions", []),
            alarm_actions=wanted.get("AlarmActions", []),
            ok_actions=wanted.get("OKActions", []),
            insufficient_data_actions=wanted.get("InsufficientDataActions", []),
            unit=wanted.get("Unit"),
            actions_enabled=_is_true(wanted.get("ActionsEnabled", True)),
            treat_missing_data=wanted.get("TreatMissingData", "missing"),
            tags=wanted.get("Tags"),
        )
        return cls(alarm.name, alarm.alarm_arn)

    def delete(self, account_id: str, region_name: str) -> None:
        cloudwatch_backends[account_id][region_name].delete_alarms([self.physical_resource_id])


class TopicSubscription(_Resource):
    """AWS::SNS::Subscription: without it an alarm's message reaches nobody."""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::SNS::Subscription"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> Self:
        wanted = cloudformation_json["Properties"]
        backend = sns_backends[account_id][region_name]
        subscription = backend.subscribe(wanted["TopicArn"], wanted["Endpoint"], wanted["Protocol"])
        for name in ("FilterPolicy", "FilterPolicyScope", "RawMessageDelivery"):
            if name in wanted:
                value = wanted[name] if isinstance(wanted[name], str) else json.dumps(wanted[name])
                backend.set_subscription_attributes(subscription.arn, name, value)
        return cls(subscription.arn, subscription.arn)

    def delete(self, account_id: str, region_name: str) -> None:
        sns_backends[account_id][region_name].unsubscribe(self.physical_resource_id)


class QueuePolicy(_Resource):
    """AWS::SQS::QueuePolicy: without it the queues have no policy to look at."""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::SQS::QueuePolicy"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> Self:
        wanted = cloudformation_json["Properties"]
        document = wanted["PolicyDocument"]
        policy = cls(resource_name)
        policy.queues = [url.rsplit("/", 1)[-1] for url in wanted["Queues"]]
        policy._set(account_id, region_name, document if isinstance(document, str) else json.dumps(document))
        return policy

    queues: Sequence[str] = ()

    def delete(self, account_id: str, region_name: str) -> None:
        self._set(account_id, region_name, "")

    def _set(self, account_id: str, region_name: str, document: str) -> None:
        queues = sqs_backends[account_id][region_name].queues
        # The queues may be gone already when the whole stack is being deleted.
        for queue in filter(None, map(queues.get, self.queues)):
            queue.policy = document


def _query(entry: dict[str, Any]) -> MetricDataQuery:
    stat = entry.get("MetricStat")
    metric_stat = None
    if stat:
        metric = stat["Metric"]
        dimensions = [Dimension(d["Name"], d["Value"]) for d in metric.get("Dimensions", [])]
        metric_stat = MetricStat(
            metric=Metric(metric["MetricName"], metric["Namespace"], dimensions),
            period=stat["Period"],
            stat=stat["Stat"],
            unit=stat.get("Unit"),
        )
    return MetricDataQuery(
        query_id=entry["Id"],
        label=entry.get("Label"),  # type: ignore[arg-type] # as the period
        period=entry.get("Period"),  # type: ignore[arg-type] # absent in most; moto holds it to be a string
        return_data=_is_true(entry.get("ReturnData", True)),  # type: ignore[arg-type] # moto calls a flag a string
        expression=entry.get("Expression"),
        metric_stat=metric_stat,
    )


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"
