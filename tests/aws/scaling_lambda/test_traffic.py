"""What CloudWatch says of the queue, and what an evaluation makes of it."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from novaburst.settings import Settings as SharedSettings
from scaling_lambda.evaluate import Evaluator
from scaling_lambda.fleet import LEAVE_TAG, Minute
from scaling_lambda.settings import Settings
from scaling_lambda.traffic import Traffic

MINUTE = timedelta(minutes=1)
Publish = Callable[..., None]


@pytest.fixture
def traffic(aws: SharedSettings, cloudwatch: Any) -> Traffic:
    return Traffic(cloudwatch, aws.request_queue)


@pytest.fixture
def evaluator(aws: SharedSettings, sqs: Any, ec2: Any, cloudwatch: Any, clock: Any) -> Evaluator:
    settings = Settings.load({"NOVABURST_PREFIX": aws.prefix, "NOVABURST_IMAGES_PER_SECOND": "10"})
    return Evaluator(settings, sqs, ec2, cloudwatch, clock)


@pytest.fixture
def steady(clock: Any, publish: Publish, launch: Callable[..., list[str]]) -> list[str]:
    """Four workers, and five minutes with work for one and a half of them; the workers' ids."""
    ids = launch(4)
    clock.sleep(600)
    for ago in range(2, 7):
        publish(minute_of(clock.now()) - ago * MINUTE, sent=900, in_flight=30)
    return ids


def minute_of(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def asked(cloudwatch: Any) -> list[Any]:
    """The calls of GetMetricData from here on."""
    calls: list[Any] = []
    cloudwatch.meta.events.register(
        "provide-client-params.cloudwatch.GetMetricData", lambda params, **_: calls.append(params)
    )
    return calls


def leaving(ec2: Any) -> set[str]:
    found = ec2.describe_instances(Filters=[{"Name": "tag-key", "Values": [LEAVE_TAG]}])
    return {instance["InstanceId"] for reservation in found["Reservations"] for instance in reservation["Instances"]}


def test_the_last_minutes_are_those_of_which_what_came_waited_and_was_in_flight_is_known(
    aws: SharedSettings, cloudwatch: Any, traffic: Traffic, publish: Publish, clock: Any
) -> None:
    present = minute_of(clock.now())
    publish(present - 3 * MINUTE, sent=7, visible=4, in_flight=2)
    # Several values in a minute: what was sent adds up, of what waits the most counts.
    publish(present - 3 * MINUTE + MINUTE / 2, sent=5, visible=1, in_flight=3)
    # What was deleted may be missing.
    publish(present - 2 * MINUTE, sent=1, deleted=5)
    publish(present - 40 * MINUTE, sent=1000, visible=1000)
    cloudwatch.put_metric_data(
        Namespace="AWS/SQS",
        MetricData=[
            {
                "MetricName": "NumberOfMessagesSent",
                "Dimensions": [{"Name": "QueueName", "Value": name}],
                "Timestamp": present - ago * MINUTE,
                "Value": 50,
            }
            for name, ago in ((aws.request_queue, 1), (aws.response_queue, 2))
        ],
    )
    assert traffic.minutes(clock.now()) == (
        Minute(present - 3 * MINUTE, sent=12, backlog=7),
        Minute(present - 2 * MINUTE, sent=1, backlog=0, deleted=5),
    )


def test_cloudwatch_is_asked_once_a_minute_at_most_and_for_all_in_one_call(
    cloudwatch: Any, traffic: Traffic, publish: Publish, clock: Any
) -> None:
    calls = asked(cloudwatch)
    publish(minute_of(clock.now()) - 2 * MINUTE, sent=1)
    first = [traffic.minutes(clock.now() + timedelta(seconds=seconds)) for seconds in (0, 5, 59)]
    assert len(calls) == 1
    assert first[0] == first[2] != ()
    traffic.minutes(clock.now() + MINUTE)
    assert len(calls) == 2


def test_a_refusal_is_logged_and_nothing_is_known_until_the_next_minute(
    cloudwatch: Any, traffic: Traffic, publish: Publish, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    publish(minute_of(clock.now()) - 2 * MINUTE, sent=1)
    refusals = ["AccessDenied"]

    def refuse(**_: object) -> None:
        if refusals:
            raise ClientError({"Error": {"Code": refusals.pop(), "Message": "no"}}, "GetMetricData")

    cloudwatch.meta.events.register("provide-client-params.cloudwatch.GetMetricData", refuse)
    with caplog.at_level(logging.WARNING, "scaling_lambda"):
        assert traffic.minutes(clock.now()) == traffic.minutes(clock.now() + MINUTE / 2) == ()
    assert "novatest-req-queue" in caplog.text
    assert "AccessDenied" in caplog.text
    assert len(caplog.records) == 1
    assert traffic.minutes(clock.now() + MINUTE) != ()


def test_an_answer_that_makes_no_sense_is_logged_and_nothing_is_known(
    cloudwatch: Any, traffic: Traffic, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    cloudwatch.meta.events.register("after-call.cloudwatch.GetMetricData", lambda parsed, **_: parsed.clear())
    with caplog.at_level(logging.WARNING, "scaling_lambda"):
        assert traffic.minutes(clock.now()) == ()
    assert "MetricDataResults" in caplog.text


def test_a_stream_for_two_of_four_sends_two_away_once_and_ends_nobody(
    ec2: Any, evaluator: Evaluator, steady: list[str], clock: Any
) -> None:
    _, plan = evaluator.plan()
    assert len(plan.leave) == 2
    assert leaving(ec2) == set()
    report = evaluator.evaluate()
    assert set(report.outcome.sent_away) == leaving(ec2) == {action.instance for action in plan.leave}
    assert (report.outcome.terminated, report.outcome.launched, report.outcome.failures) == ([], [], [])
    assert set(report.outcome.sent_away) < set(steady)
    clock.sleep(5)
    again = evaluator.evaluate()
    assert (again.plan.have, again.plan.leaving, again.outcome.sent_away) == (2, 2, [])
    assert again.to_dict()["observed"]["fleet"] == {"leaving": 2, "running": 2}


def test_without_an_answer_of_cloudwatch_the_evaluation_goes_on_and_nobody_is_sent_away(
    ec2: Any, cloudwatch: Any, evaluator: Evaluator, steady: list[str]
) -> None:
    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "Throttling", "Message": "slowly"}}, "GetMetricData")

    cloudwatch.meta.events.register("provide-client-params.cloudwatch.GetMetricData", refuse)
    report = evaluator.evaluate()
    assert report.outcome.failures == report.outcome.sent_away == []
    assert leaving(ec2) == set()


def test_nobody_asks_cloudwatch_where_nobody_could_be_spared(
    cloudwatch: Any, evaluator: Evaluator, launch: Callable[..., list[str]], clock: Any
) -> None:
    calls = asked(cloudwatch)
    launch(1)
    clock.sleep(600)
    evaluator.evaluate()
    assert calls == []


def test_one_that_was_sent_away_and_does_not_go_is_the_nets_once_the_queue_is_quiet(
    evaluator: Evaluator, steady: list[str], clock: Any
) -> None:
    outcome = evaluator.evaluate().outcome
    assert outcome.sent_away
    assert set(outcome.sent_away) <= set(outcome.marked)
    clock.sleep(1000)
    assert set(outcome.sent_away) <= set(evaluator.evaluate().outcome.terminated)
