"""Puts one worker together from its settings: the pipeline, and what runs beside it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

from novaburst.aws import s3_client, sqs_client
from novaburst.descriptions import default_session
from novaburst.idle import LEAST_BILLED_SECONDS, patience
from novaburst.objects import Bucket
from novaburst.queues import Queue
from novaburst.storage import Storage
from worker_ami.worker import memory
from worker_ami.worker.classifier import Classifier
from worker_ami.worker.counts import Counts
from worker_ami.worker.decode import Limits
from worker_ami.worker.engines import EngineName, open_engine
from worker_ami.worker.handler import Handler
from worker_ami.worker.imds import InstanceMetadata, launch_place
from worker_ami.worker.isolated import Orders
from worker_ami.worker.isolation import Isolation
from worker_ami.worker.metrics import Reporter
from worker_ami.worker.model import Model, load_model
from worker_ami.worker.notices import Notices
from worker_ami.worker.pipeline import CONNECTIONS, Pipeline, Queues
from worker_ami.worker.settings import WorkerSettings
from worker_ami.worker.status import Downloads, serve_status
from worker_ami.worker.tags import asked_to_stay
from worker_ami.worker.watchdog import watch

_LAST_WORDS_SECONDS = 1.0


@dataclass(frozen=True)
class Worker:
    """A pipeline, and the loops beside it, each of which takes the event of the pipeline's end."""

    pipeline: Pipeline
    beside: tuple[Callable[[threading.Event], None], ...]

    def run(self) -> None:
        """Run until the pipeline ends, and raise what it raises."""
        ended = threading.Event()
        threads = [threading.Thread(target=loop, args=(ended,), daemon=True) for loop in self.beside]
        for thread in threads:
            thread.start()
        try:
            self.pipeline.run()
        finally:
            ended.set()
            for thread in threads:
                thread.join(_LAST_WORDS_SECONDS)


def assemble(settings: WorkerSettings, instance: str, stop: threading.Event) -> Worker:
    """The worker of `instance`; its status is served from now on.

    Raises:
        ModelError: the model cannot be used.
        botocore.exceptions.ClientError: a queue is not there.
    """
    memory.bound_arenas(settings.threads)
    model = load_model(settings.model_dir)
    limits = Limits(bytes=settings.max_image_bytes, pixels=settings.max_image_pixels)
    classifier = Classifier(model, open_engine(settings.engine, model), limits, settings.threads)
    memory.trim()
    sqs, counts = sqs_client(CONNECTIONS), Counts()
    # The session that the client has just been made with, so that its credentials are looked up once.
    session = default_session()
    handler = Handler(
        Storage(settings.in_bucket, session),
        Storage(settings.out_bucket, session),
        classifier,
        Isolation(_orders(settings), settings.image_seconds),
        counts,
        worker=instance,
        max_bytes=settings.max_image_bytes,
        poison_receive_count=settings.poison_receive_count,
    )
    metadata = InstanceMetadata()
    queues = Queues(request=Queue(sqs, settings.request_queue), response=Queue(sqs, settings.response_queue))
    pipeline = Pipeline(
        queues,
        handler,
        settings,
        stop,
        longest_seconds=classifier.longest_seconds,
        patience=_patience(settings, launch_place(metadata)),
        asked_to_stay=partial(asked_to_stay, metadata),
    )
    if settings.status_port:
        serve_status(settings.status_port, _state(instance, model, settings, pipeline, counts), _downloads(settings))
    notices = Notices(
        InstanceMetadata(), interrupted=stop.set, rebalance=pipeline.leave_when_empty, sent_away=pipeline.leave
    )
    return Worker(pipeline, (watch, notices.run, Reporter(counts, settings.prefix).run))


def identity(instance: str, model: Model, engine: EngineName) -> dict[str, str]:
    """What of the status never changes; with the int8 engine also how often its answers were the exact ones."""
    known = {
        "version": version("novaburst"),
        "instance": instance,
        "model": model.definition.name,
        "engine": engine,
    }
    return known | ({"accuracy": str(model.definition.int8)} if engine == "onnxruntime-int8" else {})


def _downloads(settings: WorkerSettings) -> Downloads | None:
    if not settings.status_downloads:
        return None
    return Downloads(Bucket(s3_client(), settings.in_bucket), settings.max_image_bytes)


def _patience(settings: WorkerSettings, place: int) -> Callable[[float], float]:
    def after(idle: float) -> float:
        # EC2's bill begins a moment before the machine's own time does.
        up = time.clock_gettime(time.CLOCK_BOOTTIME) - idle
        return patience(settings.idle_seconds, place, LEAST_BILLED_SECONDS - up)

    return after


def _orders(settings: WorkerSettings) -> Orders:
    return Orders(
        model_dir=settings.model_dir,
        engine=settings.engine,
        max_bytes=settings.max_image_bytes,
        max_pixels=settings.max_image_pixels,
        memory=settings.isolation_bytes,
    )


def _state(
    instance: str, model: Model, settings: WorkerSettings, pipeline: Pipeline, counts: Counts
) -> Callable[[], dict[str, Any]]:
    fixed = identity(instance, model, settings.engine)

    def state() -> dict[str, Any]:
        totals = counts.totals()
        return fixed | {
            "processed": totals.images,
            "errors": dict(totals.errors),
            "held": pipeline.held.count,
            "idle_seconds": round(pipeline.held.idle_seconds(), 1),
        }

    return state
