"""What is counted and found; whatever is missing is an error and never a zero."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from novaburst.settings import Settings
from scaling_lambda.fleet import Counts, Fault, State
from scaling_lambda.observe import ObservationError, Observer

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
COUNTS = {
    "ApproximateNumberOfMessages": "4",
    "ApproximateNumberOfMessagesNotVisible": "2",
    "ApproximateNumberOfMessagesDelayed": "1",
}


@pytest.fixture
def observer(aws: Settings, sqs: Any, ec2: Any) -> Observer:
    return Observer(sqs, ec2, aws.request_queue, aws.prefix)


def answer_counts(sqs: Any, attributes: dict[str, str]) -> None:
    answer = (SimpleNamespace(status_code=200), {"Attributes": attributes})
    sqs.meta.events.register("before-call.sqs.GetQueueAttributes", lambda **_: answer)


def test_messages_waiting_in_flight_and_delayed_are_counted_apart(aws: Settings, sqs: Any, observer: Observer) -> None:
    url = sqs.get_queue_url(QueueName=aws.request_queue)["QueueUrl"]
    for delay in (0, 0, 0, 60):
        sqs.send_message(QueueUrl=url, MessageBody="{}", DelaySeconds=delay)
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)
    assert observer.counts() == Counts(visible=2, in_flight=1, delayed=1)


@pytest.mark.parametrize("missing", list(COUNTS))
def test_a_missing_count_is_an_error_and_never_zero(sqs: Any, observer: Observer, missing: str) -> None:
    answer_counts(sqs, {name: count for name, count in COUNTS.items() if name != missing})
    with pytest.raises(ObservationError, match=missing):
        observer.observe(NOW)


@pytest.mark.parametrize("count", ["", "unknown", "-1"])
def test_a_count_that_is_no_count_is_an_error(sqs: Any, observer: Observer, count: str) -> None:
    answer_counts(sqs, {**COUNTS, "ApproximateNumberOfMessagesNotVisible": count})
    with pytest.raises(ObservationError, match="novatest-req-queue"):
        observer.observe(NOW)


def test_every_reservation_and_every_page_of_the_fleet_is_seen(
    ec2: Any, launch: Callable[..., list[str]], observer: Observer
) -> None:
    # boto3 1183 and 2159: only the first reservation was counted. buildkite 167: only the first page.
    expected = {identity for count in (3, 1, 2) for identity in launch(count)}
    expected |= {identity for _ in range(12) for identity in launch(1)}
    ec2.meta.events.register(
        "provide-client-params.ec2.DescribeInstances", lambda params, **_: {**params, "MaxResults": 5}
    )
    assert {instance.id for instance in observer.instances()} == expected


def test_another_deployments_instances_are_not_ours(launch: Callable[..., list[str]], observer: Observer) -> None:
    launch(2, fleet="somebody-else")
    assert observer.instances() == ()


def test_ended_instances_are_seen_but_are_no_capacity(
    ec2: Any, launch: Callable[..., list[str]], observer: Observer
) -> None:
    stopped, ended, running = launch(3)
    ec2.stop_instances(InstanceIds=[stopped])
    ec2.terminate_instances(InstanceIds=[ended])
    observation = observer.observe(NOW)
    assert {i.id: i.state for i in observation.instances} == {
        stopped: State.STOPPED,
        ended: State.TERMINATED,
        running: State.RUNNING,
    }
    assert [i.id for i in observation.active] == [running]


def test_marks_and_keep_alive_tags_are_read(ec2: Any, launch: Callable[..., list[str]], observer: Observer) -> None:
    marked, kept, warm, standby = launch(4)
    ec2.create_tags(Resources=[marked], Tags=[{"Key": "novaburst:marked", "Value": "idle 2026-11-25T11:58:00+00:00"}])
    ec2.create_tags(Resources=[kept], Tags=[{"Key": "novaburst:keep", "Value": ""}])
    ec2.create_tags(Resources=[warm], Tags=[{"Key": "novaburst:warm", "Value": ""}])
    ec2.create_tags(Resources=[standby], Tags=[{"Key": "novaburst:standby", "Value": ""}])
    found = {instance.id: instance for instance in observer.instances()}
    assert found[marked].mark is not None
    assert found[marked].mark.fault is Fault.IDLE
    assert found[kept].keep
    assert not found[marked].keep
    assert {i.id for i in found.values() if i.warm} == {warm}
    assert {i.id for i in found.values() if i.standby} == {standby}


def test_a_spot_instance_is_known_as_one(ec2: Any, launch: Callable[..., list[str]], observer: Observer) -> None:
    launch(2)

    def one_is_spot(parsed: Any, **_: object) -> None:
        parsed["Reservations"][0]["Instances"][0]["InstanceLifecycle"] = "spot"

    ec2.meta.events.register("after-call.ec2.DescribeInstances", one_is_spot)
    assert [instance.spot for instance in observer.instances()] == [True, False]
