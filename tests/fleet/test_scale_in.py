"""The end of an instance: never while it works, and no image is lost if EC2 ends it all the same."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from novaburst.contract import Request, Result, new_id, result_key, utc_now
from novaburst.objects import Bucket
from scaling_lambda.clock import SystemClock
from tests.fleet.fleet import CONFIRM_SECONDS, Fleet, until
from tests.photos import larger_photos

VISIBILITY_SECONDS = 5


def test_a_worker_that_takes_a_message_just_before_its_scale_in_is_not_killed(fleet: Fleet) -> None:
    fleet.order("tireless")
    fleet.only("on_wake")
    fleet.send(1)
    fleet.wake()
    until(lambda: fleet.faults.active() and fleet.backlog() == 0, 15)
    (worker,) = fleet.faults.active()
    evaluator = fleet.evaluator(sqs := _Client(fleet), grace_seconds=1)
    until(lambda: evaluator.evaluate().plan.mark, 5)
    time.sleep(CONFIRM_SECONDS)
    sqs.after_next_count = lambda: (
        fleet.send(1),
        until(lambda: fleet.queue("req-queue").depth().in_flight == 1, 5),
    )
    report = evaluator.evaluate()
    assert report.observation.counts.backlog == 0, "it was decided before the message came"
    assert report.outcome.terminated == []
    assert fleet.faults.active() == [worker]
    until(lambda: fleet.backlog() == 0, 10)


class _Client:
    """The SQS client of an evaluation, which does something once between its first count and the rest."""

    def __init__(self, fleet: Fleet) -> None:
        self._real = fleet.clients["sqs"]
        self.after_next_count: Any = None

    def get_queue_url(self, **request: Any) -> Any:
        return self._real.get_queue_url(**request)

    def get_queue_attributes(self, **request: Any) -> Any:
        answer = self._real.get_queue_attributes(**request)
        then, self.after_next_count = self.after_next_count, None
        if then is not None:
            then()
        return answer


def test_the_image_of_a_worker_that_ec2_ends_is_answered_after_its_visibility_timeout(fleet: Fleet) -> None:
    url = fleet.queue("req-queue").url
    fleet.clients["sqs"].set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)})
    fleet.order("real")
    assert _ask(fleet, wait=20).error is None
    until(lambda: fleet.backlog() == 0, 5)
    # The stopped worker's long poll takes the next message, and it never gets to work on it.
    (process,) = fleet.real_workers()
    process.send_signal(signal.SIGSTOP)
    (instance,) = fleet.faults.active()
    asked = _send(fleet)
    began = time.monotonic()
    until(lambda: fleet.queue("req-queue").depth().in_flight == 1, 3)
    fleet.clients["ec2"].terminate_instances(InstanceIds=[instance])
    process.kill()
    assert _answer(fleet, asked, 30).error is None
    assert time.monotonic() - began >= VISIBILITY_SECONDS - 1
    fleet.drains_and_returns_to_zero(20)


def test_of_two_workers_under_a_stream_for_one_the_one_that_is_sent_away_ends_and_no_image_is_lost(
    fleet: Fleet,
) -> None:
    fleet.order("real")
    fleet.only()
    # What was triggered before would launch for all that waits.
    until(lambda: not fleet.under_way(), 20)
    later = _Later()
    with _stream(fleet) as asked:
        until(lambda: fleet.evaluator(images_per_worker=1000).evaluate(at_least=2).plan.have == 2, 20)
        until(lambda: len(fleet.faults.instances("running")) == 2, 20)
        _publish(fleet, later.now(), images=600)
        (gone,) = fleet.evaluator(images_per_worker=1000, clock=later).evaluate().outcome.sent_away
        until(lambda: gone not in fleet.faults.active(), 60)
        (other,) = fleet.faults.active()
    assert "sent away: finished" in (fleet.state / "instances" / gone / "worker.log").read_text()
    assert "sent away: finished" not in (fleet.state / "instances" / other / "worker.log").read_text()
    until(lambda: fleet.backlog() == 0, 30)
    results = Bucket(fleet.clients["s3"], fleet.settings.out_bucket)
    assert [image_id for image_id in asked if not results.exists(result_key(image_id))] == []
    fleet.drains_and_returns_to_zero(20)


class _Later(SystemClock):
    """A clock that is ten minutes ahead: the fleet is that old, and its minutes are those of then."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(minutes=10)


@contextmanager
def _stream(fleet: Fleet) -> Iterator[list[str]]:
    """One photo of the in-bucket again and again; the ids of the images that were sent."""
    settings, photo, asked, ended = fleet.settings, larger_photos()["daisy"], list[str](), threading.Event()
    fleet.clients["s3"].put_object(Bucket=settings.in_bucket, Key="photo", Body=photo.read_bytes())
    queue = fleet.queue("req-queue")

    def send() -> None:
        # One by one: whoever polls takes a group whole, and the other would be idle too soon.
        while not ended.wait(0.05):
            request = Request(id=new_id(), batch="b", bucket=settings.in_bucket, key="photo", name="n", sent=utc_now())
            assert queue.send([request.to_message()]) == []
            asked.append(request.id)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield asked
    finally:
        ended.set()
        sender.join()


def _publish(fleet: Fleet, now: datetime, images: int) -> None:
    """Let each of the last minutes have had so many images, of which few waited."""
    names = ("NumberOfMessagesSent", "ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible")
    data = [
        {
            "MetricName": name,
            "Dimensions": [{"Name": "QueueName", "Value": fleet.settings.request_queue}],
            "Timestamp": now - timedelta(minutes=ago),
            "Value": value,
        }
        for name, value in zip(names, (images, 1, 2), strict=True)
        for ago in range(6)
    ]
    fleet.clients["cloudwatch"].put_metric_data(Namespace="AWS/SQS", MetricData=data)


def _ask(fleet: Fleet, wait: float) -> Result:
    return _answer(fleet, _send(fleet), wait)


def _send(fleet: Fleet) -> str:
    """Upload a photo, as the web tier does; its id."""
    image_id, photo = new_id(), larger_photos()["daisy"]
    settings = fleet.settings
    fleet.clients["s3"].put_object(Bucket=settings.in_bucket, Key=image_id, Body=photo.read_bytes())
    request = Request(id=image_id, batch="b", bucket=settings.in_bucket, key=image_id, name=photo.name, sent=utc_now())
    fleet.queue("req-queue").send([request.to_message()])
    fleet.wake()
    return image_id


def _answer(fleet: Fleet, image_id: str, seconds: float) -> Result:
    """The result in the out-bucket."""
    bucket = Bucket(fleet.clients["s3"], fleet.settings.out_bucket)
    until(lambda: bucket.exists(result_key(image_id)), seconds)
    return Result.parse(bucket.get(result_key(image_id)))
