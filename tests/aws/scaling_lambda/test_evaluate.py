"""Whole evaluations against moto, from an empty fleet to an empty fleet."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from novaburst.settings import Settings as SharedSettings
from scaling_lambda.evaluate import Evaluator
from scaling_lambda.fleet import VIEW_SETTLES
from scaling_lambda.observe import ObservationError
from scaling_lambda.settings import Settings
from scaling_lambda.watch import has_work, watch


@pytest.fixture
def evaluator(aws: SharedSettings, sqs: Any, ec2: Any, cloudwatch: Any, clock: Any) -> Evaluator:
    settings = Settings.load({"NOVABURST_PREFIX": aws.prefix, "NOVABURST_IMAGES_PER_WORKER": "5"})
    return Evaluator(settings, sqs, ec2, cloudwatch, clock)


@pytest.fixture
def send(aws: SharedSettings, sqs: Any) -> Callable[[int], str]:
    def sent(count: int) -> str:
        url: str = sqs.get_queue_url(QueueName=aws.request_queue)["QueueUrl"]
        for _ in range(count):
            sqs.send_message(QueueUrl=url, MessageBody="{}")
        return url

    return sent


def running(ec2: Any) -> int:
    found = ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])
    return sum(len(reservation["Instances"]) for reservation in found["Reservations"])


def test_a_backlog_gets_workers_and_no_more_once_it_has_them(
    ec2: Any, evaluator: Evaluator, send: Callable[[int], str], clock: Any
) -> None:
    send(7)
    # moto launches one instance a call, so a later evaluation asks for the second one.
    first = evaluator.evaluate()
    assert (len(first.outcome.launched), first.settled) == (1, True)
    assert (evaluator.evaluate().outcome.launched, evaluator.evaluate().settled) == ([], False)
    clock.sleep(2 * VIEW_SETTLES.total_seconds())
    assert len(evaluator.evaluate().outcome.launched) == 1
    assert evaluator.evaluate().plan.launch == 0
    assert running(ec2) == 2


def test_a_forgotten_worker_is_marked_and_then_ended_and_the_fleet_is_back_at_zero(
    ec2: Any, evaluator: Evaluator, launch: Callable[..., list[str]], clock: Any
) -> None:
    launch(2)
    clock.sleep(60)
    assert evaluator.evaluate().outcome.marked == []
    clock.sleep(180)
    assert len(evaluator.evaluate().outcome.marked) == 2
    assert running(ec2) == 2
    clock.sleep(910)
    assert len(evaluator.evaluate().outcome.terminated) == 2
    assert running(ec2) == 0
    assert evaluator.evaluate().observation.quiet


@pytest.fixture
def take(aws: SharedSettings, sqs: Any, send: Callable[[int], str]) -> Callable[..., None]:
    """A message comes and is taken at once by a worker."""
    return lambda **_: sqs.receive_message(QueueUrl=send(1), MaxNumberOfMessages=1)


def test_a_message_taken_in_the_instant_before_the_act_saves_its_worker(
    ec2: Any, evaluator: Evaluator, launch: Callable[..., list[str]], clock: Any, take: Callable[..., None]
) -> None:
    launch(1)
    clock.sleep(300)
    evaluator.evaluate()
    clock.sleep(910)
    # After the observation of queue and fleet, before the termination.
    ec2.meta.events.register("after-call.ec2.DescribeInstances", take)
    assert evaluator.evaluate().outcome.terminated == []
    assert running(ec2) == 1


def test_a_failed_termination_is_repeated_by_the_next_evaluation(
    ec2: Any, evaluator: Evaluator, launch: Callable[..., list[str]], refuse: Callable[..., list[Any]], clock: Any
) -> None:
    launch(1)
    clock.sleep(300)
    evaluator.evaluate()
    clock.sleep(910)
    refuse("TerminateInstances", "InternalError")
    assert len(evaluator.evaluate().outcome.failures) == 1
    clock.sleep(60)
    assert len(evaluator.evaluate().outcome.terminated) == 1
    assert running(ec2) == 0


def test_a_queue_that_does_not_exist_is_an_error_and_launches_nothing(
    sqs: Any, ec2: Any, cloudwatch: Any, clock: Any
) -> None:
    settings = Settings.load({"NOVABURST_PREFIX": "not-there", "NOVABURST_MIN_WORKERS": "1"})
    evaluator = Evaluator(settings, sqs, ec2, cloudwatch, clock)
    with pytest.raises(ClientError, match=r"NonExistentQueue|QueueDoesNotExist"):
        evaluator.evaluate()
    assert running(ec2) == 0


def test_a_fleet_that_cannot_be_read_is_an_error_and_launches_nothing(
    ec2: Any, evaluator: Evaluator, send: Callable[[int], str], launch: Callable[..., list[str]]
) -> None:
    send(50)
    launch(1)

    def lose_launch_time(parsed: Any, **_: object) -> None:
        del parsed["Reservations"][0]["Instances"][0]["LaunchTime"]

    ec2.meta.events.register("after-call.ec2.DescribeInstances", lose_launch_time)
    with pytest.raises(ObservationError, match="LaunchTime"):
        evaluator.evaluate()
    assert running(ec2) == 1


def test_a_plan_alone_changes_nothing(ec2: Any, evaluator: Evaluator, send: Callable[[int], str]) -> None:
    send(9)
    _, plan = evaluator.plan()
    assert plan.launch == 2
    assert running(ec2) == 0


def test_the_schedule_looks_again_while_there_is_work(
    evaluator: Evaluator, send: Callable[[int], str], clock: Any
) -> None:
    send(7)
    reports = watch(evaluator.evaluate, clock, again=has_work, for_seconds=50, poll_seconds=5)
    assert len(reports) == 11
    assert sum(len(report.outcome.launched) for report in reports) == 2


def test_the_schedule_returns_at_once_when_there_is_nothing_to_watch(evaluator: Evaluator, clock: Any) -> None:
    began = clock.now()
    assert len(watch(evaluator.evaluate, clock, again=has_work, for_seconds=50, poll_seconds=5)) == 1
    assert clock.now() == began


@pytest.fixture
def keeper(aws: SharedSettings, sqs: Any, ec2: Any, cloudwatch: Any, clock: Any) -> Evaluator:
    """An evaluator that keeps one worker."""
    settings = Settings.load({"NOVABURST_PREFIX": aws.prefix, "NOVABURST_MIN_WORKERS": "1"})
    return Evaluator(settings, sqs, ec2, cloudwatch, clock)


def test_workers_that_are_kept_are_not_watched_while_they_rest(
    keeper: Evaluator, ec2: Any, clock: Any, send: Callable[[int], str], launch: Callable[..., list[str]]
) -> None:
    def looks() -> int:
        return len(watch(keeper.evaluate, clock, again=has_work, for_seconds=50, poll_seconds=5))

    assert keeper.evaluate().plan.launch == 1
    assert looks() == 1
    [beyond] = launch(1)
    assert looks() == 11
    ec2.terminate_instances(InstanceIds=[beyond])
    assert looks() == 1
    send(1)
    assert looks() == 11


def test_the_schedule_looks_once_when_watching_is_switched_off(
    evaluator: Evaluator, send: Callable[[int], str], clock: Any
) -> None:
    send(7)
    assert len(watch(evaluator.evaluate, clock, again=has_work, for_seconds=0, poll_seconds=5)) == 1


def test_a_report_is_plain_json(evaluator: Evaluator, send: Callable[[int], str]) -> None:
    send(3)
    report = evaluator.evaluate()
    written = report.to_dict()
    assert written["observed"]["visible"] == 3
    assert written["plan"]["launch"] == 1
    assert written["outcome"]["launched"] == report.outcome.launched
