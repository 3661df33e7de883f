"""A worker's parts, wired to one deployment in moto and to the real model, and a client that fills its queue."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from novaburst.aws import s3_client, sqs_client
from novaburst.bounds import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS, POISON_RECEIVE_COUNT
from novaburst.contract import Request, Result, new_id, result_key, utc_now
from novaburst.objects import Bucket
from novaburst.queues import Queue, Received
from novaburst.settings import Settings
from tests.unit.worker_ami.baked import baked_model
from worker_ami.worker.classifier import Classifier, Classifies
from worker_ami.worker.counts import Counts
from worker_ami.worker.decode import Limits
from worker_ami.worker.engines import open_engine
from worker_ami.worker.handler import Handler
from worker_ami.worker.isolated import Orders
from worker_ami.worker.isolation import Isolation
from worker_ami.worker.pipeline import Queues

WORKER = "i-0123456789abcdef0"


@dataclass(frozen=True)
class Deployment:
    """What a client and a worker share."""

    in_bucket: Bucket
    out_bucket: Bucket
    queues: Queues

    def ask(self, content: bytes | None, *, name: str = "photo.jpg", bucket: str | None = None) -> Request:
        """Store an image (or nothing) and queue its request."""
        image_id = new_id()
        request = Request(
            id=image_id,
            batch="batch-1",
            bucket=bucket or self.in_bucket.name,
            key=image_id,
            name=name,
            sent=utc_now(),
        )
        if content is not None:
            self.in_bucket.put(image_id, content)
        assert self.queues.request.send([request.to_message()]) == []
        return request

    def take(self) -> Received:
        """Receive the one message that waits."""
        (received,) = self.queues.request.receive(wait_seconds=1)
        return received

    def result(self, request: Request) -> Result:
        """The stored result."""
        return Result.parse(self.out_bucket.get(result_key(request.id)))

    def notices(self) -> list[Result]:
        """All that waits on the response queue."""
        found: list[Result] = []
        while messages := self.queues.response.receive(wait_seconds=0):
            found += [Result.parse(message.body) for message in messages]
            self.queues.response.delete(messages)
        return found


@pytest.fixture
def deployment(aws: Settings) -> Deployment:
    s3, sqs = s3_client(), sqs_client()
    queues = Queues(request=Queue(sqs, aws.request_queue), response=Queue(sqs, aws.response_queue))
    return Deployment(Bucket(s3, aws.in_bucket), Bucket(s3, aws.out_bucket), queues)


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    model = baked_model()
    limits = Limits(bytes=MAX_IMAGE_BYTES, pixels=MAX_IMAGE_PIXELS)
    return Classifier(model, open_engine("onnxruntime", model), limits, threads=2)


@pytest.fixture(scope="session")
def isolation() -> Iterator[Isolation]:
    orders = Orders(
        model_dir=baked_model().folder,
        engine="onnxruntime",
        max_bytes=MAX_IMAGE_BYTES,
        max_pixels=MAX_IMAGE_PIXELS,
        memory=512 << 20,
    )
    isolation = Isolation(orders, seconds=20)
    yield isolation
    isolation.close()


@pytest.fixture
def counts() -> Counts:
    return Counts()


@pytest.fixture
def new_handler(
    deployment: Deployment, classifier: Classifier, isolation: Isolation, counts: Counts
) -> Callable[..., Handler]:
    def build(
        used: Classifies = classifier, max_bytes: int = MAX_IMAGE_BYTES, suspects: Classifies = isolation
    ) -> Handler:
        return Handler(
            deployment.in_bucket,
            deployment.out_bucket,
            used,
            suspects,
            counts,
            worker=WORKER,
            max_bytes=max_bytes,
            poison_receive_count=POISON_RECEIVE_COUNT,
        )

    return build


@pytest.fixture
def handler(new_handler: Callable[..., Handler]) -> Handler:
    return new_handler()
