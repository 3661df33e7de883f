"""The task: acknowledged late and queued again when its process dies, as Celery's guide has it for idempotent ones."""

import os

from celery import Celery
from celery.signals import worker_process_init

from bench.peers.model import PhotoModel

app = Celery("photos", broker=os.environ["PEERS_REDIS"], backend=os.environ["PEERS_REDIS"])
app.conf.task_acks_late = True
app.conf.task_reject_on_worker_lost = True
app.conf.worker_prefetch_multiplier = 1
app.conf.result_expires = 600

_models: list[PhotoModel] = []


@worker_process_init.connect  # type: ignore[untyped-decorator]
def load(**_: object) -> None:
    """Load the model in each process of the pool."""
    _models.append(PhotoModel())


@app.task  # type: ignore[untyped-decorator]
def classify(data: bytes) -> str:
    """The label of a photo."""
    return _models[0].classify(data)
