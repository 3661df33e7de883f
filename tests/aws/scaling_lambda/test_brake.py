"""A fleet that has ended without an answer: what the evaluation asks CloudWatch, launches, and tells people."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from novaburst.settings import Settings as SharedSettings
from scaling_lambda.evaluate import Evaluator
from scaling_lambda.settings import Settings

MINUTE = timedelta(minutes=1)


@pytest.fixture
def evaluator(aws: SharedSettings, sqs: Any, ec2: Any, cloudwatch: Any, clock: Any) -> Evaluator:
    settings = Settings.load({"NOVABURST_PREFIX": aws.prefix, "NOVABURST_IMAGES_PER_WORKER": "1"})
    return Evaluator(settings, sqs, ec2, cloudwatch, clock)


@pytest.fixture
def in_vain(
    *,
    aws: SharedSettings,
    sqs: Any,
    ec2: Any,
    clock: Any,
    publish: Callable[..., None],
    launch: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> datetime:
    """Three images wait, twelve workers have ended, and in seven minutes nothing was deleted; the last one's start."""
    # Once an hour nothing is launched for some seconds.
    monkeypatch.setattr("scaling_lambda.policy.is_turning", lambda _: False)
    url = sqs.get_queue_url(QueueName=aws.request_queue)["QueueUrl"]
    for _ in range(3):
        sqs.send_message(QueueUrl=url, MessageBody="{}")
    first = clock.now().replace(second=0, microsecond=0) - MINUTE
    ec2.terminate_instances(InstanceIds=launch(12))
    clock.sleep(400)
    for number in range(7):
        publish(first + number * MINUTE, sent=0, visible=3, deleted=0)
    return first + 6 * MINUTE


def asked(cloudwatch: Any) -> list[Any]:
    calls: list[Any] = []
    cloudwatch.meta.events.register(
        "provide-client-params.cloudwatch.GetMetricData", lambda params, **_: calls.append(params)
    )
    return calls


def test_one_is_tried_at_a_time_and_an_answer_takes_the_brake_off(
    *, ec2: Any, cloudwatch: Any, evaluator: Evaluator, in_vain: datetime, publish: Callable[..., None], clock: Any
) -> None:
    calls = asked(cloudwatch)
    first = evaluator.evaluate()
    assert (len(first.outcome.launched), first.plan.braked) == (1, 2)
    assert "no image was answered" in first.plan.reason
    ec2.terminate_instances(InstanceIds=first.outcome.launched)
    (call,) = calls
    names = [query["MetricStat"]["Metric"]["MetricName"] for query in call["MetricDataQueries"]]
    assert len(names) == 4
    assert "NumberOfMessagesDeleted" in names
    clock.sleep(70)
    publish(in_vain + MINUTE, sent=0, visible=2, deleted=1)
    again = evaluator.evaluate()
    assert len(calls) == 2
    assert (again.plan.want, again.plan.launch, again.plan.braked) == (3, 3, 0)


def test_without_an_answer_of_cloudwatch_there_is_no_brake(
    cloudwatch: Any, evaluator: Evaluator, in_vain: datetime
) -> None:
    cloudwatch.meta.events.register("after-call.cloudwatch.GetMetricData", lambda parsed, **_: parsed.clear())
    assert evaluator.plan()[1].launch == 3


def test_a_person_gets_what_is_asked_for(evaluator: Evaluator, in_vain: datetime) -> None:
    assert evaluator.plan(2)[1].launch == 2
    assert evaluator.plan()[1].launch == 1


def test_the_first_burst_after_a_rest_asks_nobody(
    aws: SharedSettings, sqs: Any, cloudwatch: Any, evaluator: Evaluator
) -> None:
    calls = asked(cloudwatch)
    url = sqs.get_queue_url(QueueName=aws.request_queue)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    assert evaluator.plan()[1].launch == 1
    assert calls == []


def test_the_log_warns_and_the_metric_says_how_many_are_kept_back(
    load: Callable[..., Any], in_vain: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    load(NOVABURST_IMAGES_PER_WORKER="1").on_request({}, None)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (evaluation,) = [line for line in lines if line.get("message") == "evaluation"]
    (metrics,) = [line for line in lines if "_aws" in line]
    assert (evaluation["level"], evaluation["plan"]["braked"]) == ("WARNING", 2)
    assert "novaburst scale" in evaluation["plan"]["reason"]
    assert metrics["Braked"] == [2]
