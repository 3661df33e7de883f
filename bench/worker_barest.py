"""What no worker in Python could beat: `python -m bench.worker_barest computing` or `... calls`.

`computing` decodes and classifies photos that it has in memory, in groups as the worker does, and asks nobody for
anything. `calls` does so for what S3 and SQS give it, in the fewest threads and calls: no check, no heartbeat, no time
of any stage, no result but the label. Their log line for each image is as the worker's, so that all are measured alike.
"""

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from queue import SimpleQueue

import boto3
import obstore
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.store import S3Store

from bench.worker_photos import photos
from novaburst.aws import sqs_client
from novaburst.bounds import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS, SQS_BATCH
from novaburst.queues import Queue, Received
from novaburst.settings import Settings
from worker_ami.worker import memory
from worker_ami.worker.classifier import GROUP, SPARE_SCALE
from worker_ami.worker.decode import Limits, decode
from worker_ami.worker.engines import open_engine
from worker_ami.worker.model import load_model
from worker_ami.worker.preprocessing import prepare

# As many as the worker holds with one thread.
_HELD = 3 * SQS_BATCH


class Network:
    """The worker's decoder and engine, bare."""

    def __init__(self) -> None:
        memory.bound_arenas(1)
        self._model = load_model(Path(os.environ["NOVABURST_MODEL_DIR"]))
        self._engine = open_engine("onnxruntime", self._model)
        self._limits = Limits(bytes=MAX_IMAGE_BYTES, pixels=MAX_IMAGE_PIXELS)
        memory.trim()

    def labels(self, group: list[bytes]) -> Iterator[str]:
        """The best label of each file; all are decoded before the first one is classified."""
        preprocessing = self._model.definition.preprocessing
        short_side = SPARE_SCALE * preprocessing.pixels
        images = [prepare(decode(data, self._limits, short_side=short_side), preprocessing) for data in group]
        for image in images:
            yield self._model.labels[int(self._engine.logits(image[None])[0].argmax())]


class Calls:
    """One thread receives, one notifies and deletes, and one event loop fetches and stores."""

    def __init__(self) -> None:
        settings, sqs = Settings(prefix="novaburst"), sqs_client()
        self._requests, self._responses = Queue(sqs, settings.request_queue), Queue(sqs, settings.response_queue)
        self._in_bucket, self._out_bucket = (_store(name) for name in (settings.in_bucket, settings.out_bucket))
        self._room = threading.Semaphore(_HELD)
        self._fetched: SimpleQueue[tuple[Received, bytes]] = SimpleQueue()
        self._stored: SimpleQueue[tuple[Received, str]] = SimpleQueue()
        self._loop = asyncio.new_event_loop()
        for loop in (self._loop.run_forever, self._receive, self._finish):
            threading.Thread(target=loop, daemon=True).start()

    def group(self) -> list[tuple[Received, bytes]]:
        """What has been fetched, at least one and at most as many as the worker would take."""
        found = [self._fetched.get()]
        while len(found) < GROUP and not self._fetched.empty():
            found.append(self._fetched.get())
        return found

    def answer(self, message: Received, label: str) -> None:
        """Store the result, and see to the rest."""
        image = json.loads(message.body)["id"]
        result = json.dumps({"id": image, "label": label})
        asyncio.run_coroutine_threadsafe(self._store(message, image, result), self._loop)

    def _receive(self) -> None:
        while True:
            for _ in range(SQS_BATCH):
                self._room.acquire()
            messages = self._requests.receive()
            if missing := SQS_BATCH - len(messages):
                self._room.release(missing)
            for message in messages:
                asyncio.run_coroutine_threadsafe(self._fetch(message), self._loop)

    async def _fetch(self, message: Received) -> None:
        found = await obstore.get_async(self._in_bucket, json.loads(message.body)["key"])
        self._fetched.put((message, (await found.bytes_async()).to_bytes()))

    async def _store(self, message: Received, image: str, result: str) -> None:
        await obstore.put_async(self._out_bucket, f"{image}.json", result.encode(), use_multipart=False)
        self._stored.put((message, result))

    def _finish(self) -> None:
        while True:
            batch = [self._stored.get() for _ in range(SQS_BATCH)]
            self._responses.send([result for _, result in batch])
            self._requests.delete([message for message, _ in batch])
            self._room.release(SQS_BATCH)
            for _ in batch:
                _say_answered()


def _store(bucket: str) -> S3Store:
    provider = Boto3CredentialProvider(boto3.Session())
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    return S3Store(bucket, credential_provider=provider, endpoint=endpoint, client_options={"allow_http": True})


def _say_answered() -> None:
    sys.stderr.write(json.dumps({"message": "answered", "at": time.time()}) + "\n")


def main(way: str) -> None:
    """Work until killed."""
    network = Network()
    if way == "computing":
        endless = cycle(photos("500x375"))
        while True:
            for _ in network.labels(list(islice(endless, GROUP))):
                _say_answered()
    calls = Calls()
    while True:
        group = calls.group()
        for (message, _), label in zip(group, network.labels([data for _, data in group]), strict=True):
            calls.answer(message, label)


if __name__ == "__main__":
    main(sys.argv[1])
