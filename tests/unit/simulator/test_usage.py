"""The amounts of the bills are those of the tiers, the template and the settings."""

import json
from typing import Any

import cfnlint.decode
import pytest

from infra.deploy import TEMPLATE
from scaling_lambda import traffic
from scaling_lambda.metrics import COST, COUNTS
from simulator.usage import LAMBDA_GB, LOG_DAYS, Look, Minute, Rest, Worker
from web_tier import listener, sampler, waker
from web_tier.settings import WebSettings
from worker_ami.worker.counts import STAGES, Totals
from worker_ami.worker.metrics import metric_fields
from worker_ami.worker.settings import WorkerSettings

PROJECT = TEMPLATE.parents[1]
HOUR = 3600


@pytest.fixture(scope="module")
def resources() -> Any:
    decoded, _ = cfnlint.decode.decode(str(TEMPLATE))
    return decoded["Resources"].values()


def test_alarms_are_paid_for_by_the_metrics_that_they_look_at(resources: Any) -> None:
    alarms = [one["Properties"] for one in resources if one["Type"] == "AWS::CloudWatch::Alarm"]
    looked_at = [sum("MetricStat" in metric for metric in alarm.get("Metrics", [])) or 1 for alarm in alarms]
    assert Rest().alarm_metrics == sum(looked_at)
    assert Rest().dashboards == sum(one["Type"] == "AWS::CloudWatch::Dashboard" for one in resources)


def test_logs_are_kept_as_long_as_the_template_says(resources: Any) -> None:
    (log,) = (one["Properties"] for one in resources if one["Type"] == "AWS::Logs::LogGroup")
    assert log["RetentionInDays"] == LOG_DAYS


def test_metrics_are_those_that_lambda_and_worker_write() -> None:
    assert Rest().metrics == len({*COUNTS, COST})
    done = Totals(images=2, ms=dict.fromkeys(STAGES, 1.0))
    told: Any = metric_fields(Totals(), done, 60.0, fleet="novaburst", at=0.0)
    # And the one of the first result.
    assert Worker().metrics == len(told["_aws"]["CloudWatchMetrics"][0]["Metrics"]) + 1


def test_an_hour_at_rest_has_the_polls_of_the_tiers() -> None:
    polls = (listener._POLL_SECONDS, listener._DEAD_LETTER_SECONDS, sampler._QUIET_SECONDS)
    assert Rest().sqs == sum(HOUR / seconds for seconds in polls)
    assert Worker().sqs == HOUR / WorkerSettings.model_fields["poll_seconds"].default


def test_a_minute_with_work_has_the_wakes_and_samples_of_the_web_tier() -> None:
    processes = WebSettings.model_fields["web_workers"].default
    assert Minute().wakes == processes * 60 / waker.PERIOD_SECONDS
    assert Minute().sqs == 60 / sampler._BUSY_SECONDS
    assert Minute().metric_reads == len(traffic._SERIES) * (1 + processes)
    assert Minute().seconds + Look().seconds <= 60


def test_memory_and_volume_are_those_that_are_deployed() -> None:
    assert json.loads((PROJECT / ".chalice" / "config.json").read_text())["lambda_memory_size"] == LAMBDA_GB * 1024
    packer = json.loads((PROJECT / "worker_ami" / "packer.json").read_text())
    assert float(packer["variables"]["volume_gib"]) == Worker().disk_gb
