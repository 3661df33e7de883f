"""Metrics embedded in logs reach CloudWatch, from functions and from workers."""

import time
from typing import TYPE_CHECKING, Any

from worker_ami.worker.metrics import NAMESPACE

if TYPE_CHECKING:
    from conftest import Cloud

LINE = (
    '{{"_aws": {{"Timestamp": {at}, "CloudWatchMetrics": [{{"Namespace": "Novaburst", "Dimensions": [["fleet"]],'
    ' "Metrics": [{{"Name": "Backlog", "Unit": "Count"}}]}}]}}, "fleet": "{fleet}", "Backlog": {value}}}'
)


def _maximum(cloud: "Cloud", fleet: str) -> Any:
    points = cloud.client("cloudwatch").get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName="Backlog",
        Dimensions=[{"Name": "fleet", "Value": fleet}],
        StartTime=time.time() - 600,
        EndTime=time.time() + 60,
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    return max((point["Maximum"] for point in points), default=None)


def test_a_functions_and_a_workers_embedded_metrics_are_in_cloudwatch(cloud: "Cloud") -> None:
    function, worker = cloud.state / "lambda" / "logs", cloud.state / "instances" / cloud.new_name("i")
    for folder, file in ((function, "metrics.log"), (worker, "worker.log")):
        fleet = cloud.new_name("fleet")
        folder.mkdir(parents=True, exist_ok=True)
        line = LINE.format(at=round(time.time() * 1000), fleet=fleet, value=41)
        with (folder / file).open("w") as log:
            log.write("START of something else\n" + line[:40])
            log.flush()
            log.write(line[40:] + "\n")
        cloud.eventually(lambda fleet=fleet: _maximum(cloud, fleet) == 41)


def test_an_alarm_sees_an_embedded_metric(cloud: "Cloud") -> None:
    fleet, name = cloud.new_name("fleet"), cloud.new_name("alarm")
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace=NAMESPACE,
        MetricName="Backlog",
        Dimensions=[{"Name": "fleet", "Value": fleet}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=3,
        ComparisonOperator="LessThanThreshold",
        Threshold=0,
        TreatMissingData="breaching",
    )

    def state() -> Any:
        return cloud.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]

    cloud.eventually(lambda: state() == "ALARM")
    folder = cloud.state / "lambda" / "logs"
    folder.mkdir(parents=True, exist_ok=True)

    def told() -> bool:
        with (folder / "alarm.log").open("a") as log:
            log.write(LINE.format(at=round(time.time() * 1000), fleet=fleet, value=0) + "\n")
        return bool(state() == "OK")

    cloud.eventually(told)
    cloud.client("cloudwatch").delete_alarms(AlarmNames=[name])
