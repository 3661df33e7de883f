"""CloudWatch: a new alarm has no data yet, and a change of its state runs its actions."""

import copy
import json
from typing import Any

from moto.cloudwatch.models import Alarm, CloudWatchBackend
from moto.core.utils import utcnow
from moto.sns.models import sns_backends

from local_cloud.mends.patching import replace


def apply() -> None:
    """Install the mends of this module."""
    _a_new_alarm_has_insufficient_data()
    _a_changed_state_runs_the_actions()


def _a_new_alarm_has_insufficient_data() -> None:
    # Why: moto starts alarms as OK, so the first evaluation of a quiet queue would not be a change on AWS's terms.
    @replace(Alarm, "__init__")
    def create(original: Any, self: Alarm, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.state_value = "INSUFFICIENT_DATA"


def _a_changed_state_runs_the_actions() -> None:
    # Why: moto only records the state, whether SetAlarmState or an evaluation changed it.
    @replace(CloudWatchBackend, "set_alarm_state")
    def set_alarm_state(original: Any, self: CloudWatchBackend, alarm_name: str, *change: str | None) -> None:
        before = copy.copy(self.alarms.get(alarm_name))
        original(self, alarm_name, *change)
        alarm = self.alarms[alarm_name]
        state = alarm.state_value
        if before is None or before.state_value == state or not alarm.actions_enabled:
            return
        actions = {
            "ALARM": alarm.alarm_actions,
            "OK": alarm.ok_actions,
            "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
        }[state]
        for topic in actions:
            if topic.split(":")[2] == "sns":
                sns_backends[self.account_id][topic.split(":")[3]].publish(
                    json.dumps(_message(alarm, before.state_value, self.account_id)),
                    arn=topic,
                    subject=f'{state}: "{alarm.name}" in {alarm.region_name}'[:100],
                )


def _message(alarm: Alarm, old_state: str, account_id: str) -> dict[str, Any]:
    """The body of an alarm's notification: the fields that CloudWatch sends to SNS."""
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": account_id,
        "AlarmConfigurationUpdatedTimestamp": _time(alarm.configuration_updated_timestamp),
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": _time(utcnow()),
        "Region": alarm.region_name,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": old_state,
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        "Trigger": _trigger(alarm),
    }


def _trigger(alarm: Alarm) -> dict[str, Any]:
    trigger: dict[str, Any] = {
        "EvaluationPeriods": int(alarm.evaluation_periods),
        "DatapointsToAlarm": int(alarm.datapoints_to_alarm or alarm.evaluation_periods),
        "ComparisonOperator": alarm.comparison_operator,
        "Threshold": float(alarm.threshold),
        "TreatMissingData": alarm.treat_missing_data or "missing",
        "EvaluateLowSampleCountPercentile": "",
    }
    if not alarm.metric_data_queries:
        return trigger | {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "StatisticType": "Statistic",
            "Statistic": (alarm.statistic or "").upper(),
            "Unit": alarm.unit,
            "Dimensions": [{"value": d.value, "name": d.name} for d in alarm.dimensions],
            "Period": int(alarm.period),
        }
    metrics = []
    for query in alarm.metric_data_queries:
        entry: dict[str, Any] = {"Id": query.id, "ReturnData": str(query.return_data).lower() == "true"}
        if query.label:
            entry["Label"] = query.label
        if query.metric_stat is None:
            entry["Expression"] = query.expression
        else:
            metric = query.metric_stat.metric
            entry["MetricStat"] = {
                "Metric": {
                    "Dimensions": [{"value": d.value, "name": d.name} for d in metric.dimensions],
                    "MetricName": metric.metric_name,
                    "Namespace": metric.namespace,
                },
                "Period": int(query.metric_stat.period),
                "Stat": query.metric_stat.stat,
            }
        metrics.append(entry)
    return trigger | {"Metrics": metrics}


def _time(moment: Any) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"
