"""A worker's life from start to end, against real queues and with the real model."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import boto3
import pytest

from novaburst.contract import result_key
from novaburst.queues import Queue, Received
from novaburst.settings import Settings
from tests.aws.worker_ami.conftest import Deployment
from tests.photos import imagenet_photos, larger_photos
from worker_ami.worker.classifier import Classified, Classifier
from worker_ami.worker.handler import Handler
from worker_ami.worker.pipeline import Pipeline, Queues, StuckError
from worker_ami.worker.receiver import ReceiveError
from worker_ami.worker.settings import WorkerSettings

NewPipeline = Callable[..., Pipeline]


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def new_pipeline(
    aws: Settings, deployment: Deployment, new_handler: Callable[..., Handler], stop: threading.Event
) -> NewPipeline:
    def build(
        handler: Handler | None = None,
        queues: Queues | None = None,
        longest: float = 0,
        stay: Callable[[], bool] = lambda: False,
        patience: Callable[[float], float] | None = None,
        **chosen: object,
    ) -> Pipeline:
        # One thread calls SQS: of two deletions at once moto, without the mends of local_cloud, may lose one.
        defaults: dict[str, object] = {"idle_seconds": 1, "poll_seconds": 1, "threads": 1, "prefix": aws.prefix}
        settings = WorkerSettings.load(**(defaults | chosen))
        return Pipeline(
            queues or deployment.queues,
            handler or new_handler(),
            settings,
            stop,
            longest_seconds=lambda: longest,
            patience=patience or (lambda _: settings.idle_seconds),
            asked_to_stay=stay,
        )

    return build


@contextmanager
def running(pipeline: Pipeline) -> Iterator[threading.Thread]:
    """The pipeline in a thread of its own, ended at the end."""
    thread = threading.Thread(target=pipeline.run)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(20)
        assert not thread.is_alive()


def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


class Gate(Classifier):
    """A classifier that lets nothing pass before it is opened, and knows who waits."""

    def __init__(self, inner: Classifier) -> None:
        self._inner = inner
        self.opened = threading.Event()
        self.waiting = 0

    def classify(self, data: bytes) -> Classified:
        self.waiting += 1
        self.opened.wait(20)
        return self._inner.classify(data)


@pytest.fixture
def gate(classifier: Classifier) -> Iterator[Gate]:
    closed = Gate(classifier)
    yield closed
    closed.opened.set()


def test_every_image_is_answered_once_and_then_the_idle_worker_ends(
    deployment: Deployment, new_pipeline: NewPipeline
) -> None:
    photos = [photo.path.read_bytes() for photo in imagenet_photos()]
    requests = [deployment.ask(content) for content in [*photos, b"", b"text"]]
    new_pipeline().run()
    results = {request.id: deployment.result(request) for request in requests}
    assert sum(result.label is not None for result in results.values()) == 20
    assert {notice.id: notice.label for notice in deployment.notices()} == {
        image_id: result.label for image_id, result in results.items()
    }
    assert deployment.queues.request.depth().backlog == 0


def test_a_worker_without_work_ends_after_its_idle_time_and_not_before(new_pipeline: NewPipeline) -> None:
    began = time.monotonic()
    new_pipeline(idle_seconds=2).run()
    assert 2 <= time.monotonic() - began < 5


def test_a_worker_that_may_soon_be_taken_away_works_on_and_leaves_at_the_first_empty_poll(
    deployment: Deployment, new_pipeline: NewPipeline
) -> None:
    requests = [deployment.ask(larger_photos()["daisy"].read_bytes()) for _ in range(12)]
    pipeline = new_pipeline(idle_seconds=600)
    pipeline.leave_when_empty()
    pipeline.run()
    assert all(deployment.result(request).label == "daisy" for request in requests)
    assert deployment.queues.request.depth().backlog == 0


def test_a_worker_that_is_sent_away_finishes_what_it_holds_and_takes_nothing_more(
    deployment: Deployment, new_pipeline: NewPipeline, new_handler: Callable[..., Handler], gate: Gate
) -> None:
    requests = [deployment.ask(larger_photos()["daisy"].read_bytes()) for _ in range(9)]
    pipeline = new_pipeline(new_handler(gate), held=3, idle_seconds=600)
    with running(pipeline) as life:
        eventually(lambda: gate.waiting == 3)
        pipeline.leave()
        life.join(0.5)
        assert life.is_alive()
        gate.opened.set()
    stored = sum(deployment.out_bucket.exists(result_key(request.id)) for request in requests)
    depth = deployment.queues.request.depth()
    assert (stored, len(deployment.notices()), depth.visible, depth.in_flight) == (3, 3, 6, 0)
    # Nobody was made a suspect by being given back.
    assert {message.receive_count for message in deployment.queues.request.receive(wait_seconds=1)} == {1}


def test_a_worker_that_is_too_old_gives_back_what_it_has_not_begun_and_ends(
    deployment: Deployment, new_pipeline: NewPipeline, new_handler: Callable[..., Handler], gate: Gate
) -> None:
    requests = [deployment.ask(larger_photos()["daisy"].read_bytes()) for _ in range(5)]
    with running(new_pipeline(new_handler(gate), held=2, max_age_seconds=1, idle_seconds=600)):
        eventually(lambda: gate.waiting == 2)
        time.sleep(2)
        gate.opened.set()
    stored = sum(deployment.out_bucket.exists(result_key(request.id)) for request in requests)
    depth = deployment.queues.request.depth()
    assert (stored, depth.visible, depth.in_flight) == (2, 3, 0)


def test_how_long_it_stays_idle_is_asked_while_it_is(new_pipeline: NewPipeline) -> None:
    asked: list[float] = []

    def patience(idle: float) -> float:
        asked.append(idle)
        return 2 if idle >= 1 else 600

    new_pipeline(poll_seconds=1, idle_seconds=600, patience=patience).run()

    assert 2 <= max(asked) < 60


def test_an_idle_worker_that_is_asked_to_stay_ends_only_when_that_is_over(new_pipeline: NewPipeline) -> None:
    asked = iter([True, True, False])
    began = time.monotonic()
    new_pipeline(idle_seconds=1, stay=lambda: next(asked)).run()
    assert time.monotonic() - began >= 3
    assert list(asked) == []


def test_a_worker_is_not_idle_while_it_works(
    deployment: Deployment, new_pipeline: NewPipeline, new_handler: Callable[..., Handler], gate: Gate
) -> None:
    request = deployment.ask(larger_photos()["daisy"].read_bytes())
    with running(new_pipeline(new_handler(gate), idle_seconds=1)) as life:
        eventually(lambda: gate.waiting == 1)
        life.join(1.8)
        assert life.is_alive()
        gate.opened.set()
    assert deployment.result(request).label == "daisy"


def test_a_lone_image_is_answered_without_waiting_for_others(
    deployment: Deployment, new_pipeline: NewPipeline, stop: threading.Event
) -> None:
    with running(new_pipeline(idle_seconds=30)):
        time.sleep(0.3)
        request = deployment.ask(larger_photos()["daisy"].read_bytes())
        began = time.monotonic()
        eventually(lambda: deployment.out_bucket.exists(result_key(request.id)))
        eventually(lambda: deployment.queues.request.depth().backlog == 0)
        assert time.monotonic() - began < 1.5
        stop.set()


def test_no_more_is_held_than_can_start_soon(
    deployment: Deployment,
    new_pipeline: NewPipeline,
    new_handler: Callable[..., Handler],
    gate: Gate,
    stop: threading.Event,
) -> None:
    for _ in range(12):
        deployment.ask(larger_photos()["daisy"].read_bytes())
    with running(new_pipeline(new_handler(gate), held=4)):
        eventually(lambda: gate.waiting == 4)
        time.sleep(0.5)
        depth = deployment.queues.request.depth()
        stop.set()
        gate.opened.set()
    assert (depth.in_flight, depth.visible) == (4, 8)


def test_a_stopped_worker_finishes_what_it_began_and_holds_nothing(
    deployment: Deployment,
    new_pipeline: NewPipeline,
    new_handler: Callable[..., Handler],
    gate: Gate,
    stop: threading.Event,
) -> None:
    requests = [deployment.ask(larger_photos()["daisy"].read_bytes()) for _ in range(9)]
    with running(new_pipeline(new_handler(gate), held=3)):
        eventually(lambda: gate.waiting == 3)
        stop.set()
        time.sleep(0.2)
        gate.opened.set()
    depth = deployment.queues.request.depth()
    assert (depth.in_flight, depth.visible) == (0, 6)
    stored = sum(deployment.out_bucket.exists(result_key(request.id)) for request in requests)
    assert stored == len(deployment.notices()) == 3


def test_what_a_stopped_worker_cannot_finish_in_time_is_given_back(
    deployment: Deployment,
    new_pipeline: NewPipeline,
    new_handler: Callable[..., Handler],
    gate: Gate,
    stop: threading.Event,
) -> None:
    deployment.ask(larger_photos()["daisy"].read_bytes())
    with running(new_pipeline(new_handler(gate), grace_seconds=1)):
        eventually(lambda: gate.waiting == 1)
        stop.set()
    assert deployment.take().receive_count == 2


def test_what_came_with_the_poll_under_way_at_the_stop_is_given_back(
    deployment: Deployment, new_pipeline: NewPipeline, stop: threading.Event
) -> None:
    with running(new_pipeline(poll_seconds=3, idle_seconds=30)):
        time.sleep(0.3)
        stop.set()
        request = deployment.ask(larger_photos()["daisy"].read_bytes())
    assert deployment.take().receive_count == 2
    assert not deployment.out_bucket.exists(result_key(request.id))


def test_the_heartbeat_keeps_a_slow_image_hidden_past_its_visibility_timeout(
    deployment: Deployment,
    new_pipeline: NewPipeline,
    new_handler: Callable[..., Handler],
    gate: Gate,
    stop: threading.Event,
) -> None:
    boto3.client("sqs").set_queue_attributes(
        QueueUrl=deployment.queues.request.url, Attributes={"VisibilityTimeout": "2"}
    )
    request = deployment.ask(larger_photos()["daisy"].read_bytes())
    with running(new_pipeline(new_handler(gate), visibility_seconds=2, heartbeat_seconds=1, idle_seconds=30)):
        eventually(lambda: gate.waiting == 1)
        time.sleep(3.5)
        visible = deployment.queues.request.depth().visible
        gate.opened.set()
        eventually(lambda: deployment.queues.request.depth().backlog == 0)
        stop.set()
    assert visible == 0
    assert gate.waiting == 1
    assert [notice.id for notice in deployment.notices()] == [request.id]


def test_a_body_that_nobody_can_read_reaches_the_dead_letter_queue_and_stops_no_one(
    aws: Settings, deployment: Deployment, new_pipeline: NewPipeline
) -> None:
    sqs = boto3.client("sqs")
    dead = Queue(sqs, aws.dead_letter_queue)
    arn = sqs.get_queue_attributes(QueueUrl=dead.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": 3}}'
    sqs.set_queue_attributes(QueueUrl=deployment.queues.request.url, Attributes={"RedrivePolicy": policy})
    deployment.queues.request.send(["nobody can read this"])
    request = deployment.ask(larger_photos()["daisy"].read_bytes())
    # moto's long poll does not notice a message that is given back while it waits; the poll after it does.
    new_pipeline(idle_seconds=3).run()
    assert [message.body for message in dead.receive(wait_seconds=1)] == ["nobody can read this"]
    assert deployment.result(request).label == "daisy"


def test_a_result_whose_notice_cannot_be_sent_is_stored_and_its_message_deleted(
    deployment: Deployment, new_pipeline: NewPipeline
) -> None:
    request = deployment.ask(larger_photos()["daisy"].read_bytes())
    boto3.client("sqs").delete_queue(QueueUrl=deployment.queues.response.url)
    new_pipeline().run()
    assert deployment.result(request).label == "daisy"
    assert deployment.queues.request.depth().backlog == 0


def test_an_image_that_cannot_be_stored_now_is_not_lost(
    deployment: Deployment, new_pipeline: NewPipeline, stop: threading.Event
) -> None:
    deployment.ask(larger_photos()["daisy"].read_bytes())
    boto3.client("s3").delete_bucket(Bucket=deployment.out_bucket.name)
    with running(new_pipeline(idle_seconds=1)):
        pass
    assert deployment.queues.request.depth().in_flight == 1
    assert deployment.notices() == []


def test_an_image_that_hangs_beside_others_is_given_back_with_the_rest_and_ends_the_worker_with_an_error(
    deployment: Deployment, new_pipeline: NewPipeline, new_handler: Callable[..., Handler], gate: Gate
) -> None:
    deployment.ask(larger_photos()["daisy"].read_bytes())
    with pytest.raises(StuckError, match="more than 60 s"):
        new_pipeline(new_handler(gate), longest=61, grace_seconds=1, idle_seconds=30).run()
    assert deployment.queues.request.depth().in_flight == 0
    assert deployment.queues.request.depth().visible == 1


class _Broken(Queue):
    """A queue whose receives all fail in a way that no retry mends."""

    def receive(self, *, at_most: int = 10, wait_seconds: int = 20) -> list[Received]:
        raise RuntimeError("receive is broken")


def test_an_unexpected_error_of_a_thread_ends_the_worker_with_that_error(
    aws: Settings, deployment: Deployment, new_pipeline: NewPipeline
) -> None:
    broken = _Broken(boto3.client("sqs"), aws.request_queue)
    with pytest.raises(RuntimeError, match="receive is broken"):
        new_pipeline(queues=Queues(request=broken, response=deployment.queues.response)).run()


def test_a_queue_that_is_gone_ends_the_worker_instead_of_billing_on(
    deployment: Deployment, new_pipeline: NewPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker_ami.worker.receiver._FAILING_SECONDS", 1)
    boto3.client("sqs").delete_queue(QueueUrl=deployment.queues.request.url)
    with pytest.raises(ReceiveError, match="nothing but errors"):
        new_pipeline().run()


def test_deletions_of_several_cores_run_side_by_side(
    deployment: Deployment, new_pipeline: NewPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = larger_photos()["daisy"].read_bytes()
    requests = [deployment.ask(photo) for _ in range(40)]
    # Nothing is deleted before two deletions are under way.
    first, second, delete = threading.Semaphore(1), threading.Event(), deployment.queues.request.delete

    def delete_beside_another(messages: Sequence[Received]) -> list[Received]:
        if not first.acquire(blocking=False):
            second.set()
        assert second.wait(60)
        return delete(messages)

    monkeypatch.setattr(deployment.queues.request, "delete", delete_beside_another)
    new_pipeline(threads=2).run()
    assert {deployment.result(request).label for request in requests} == {"daisy"}
