"""How many results a second the listener takes in, from a full response queue whose every call takes 30 ms.

Twenty workers give some 2,300 results a second. The listener has one core, the stand-in for AWS the other; the images
are in the store before, as those of uploads are.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
from rich.console import Console
from rich.table import Table

from bench.uploads_tier import Cores, child, cpu_seconds, light_aws, unit_environment
from novaburst.bounds import SQS_BATCH
from novaburst.contract import Guess, Result, new_id
from novaburst.queues import Queue
from novaburst.settings import Settings
from tests.e2e.cloud import until
from web_tier.images import Image, State
from web_tier.store import Store

LATENCY_MS = 30.0
RESULTS, QUICK_RESULTS = 20_000, 3_000
_BATCH = "burst"
_TOP5 = tuple(Guess(label=f"one of a thousand kinds, {place}", score=0.1) for place in range(5))
_SENDERS = 16
_LISTENER = (sys.executable, "-m", "web_tier.listener")


def main(*, quick: bool) -> None:
    """Measure and print the table."""
    table = Table("results", "ms a call", "seconds", "results/s", "CPU ms a result")
    table.add_row(*_taken(QUICK_RESULTS if quick else RESULTS, Cores()))
    Console(width=100).print(table)


def _taken(count: int, cores: Cores) -> tuple[str, ...]:
    results = [
        Result(id=new_id(), batch=_BATCH, name="photo.jpg", label="cat", score=1, top5=_TOP5, worker="i-1")
        for _ in range(count)
    ]
    with TemporaryDirectory() as name, light_aws(cores.others, LATENCY_MS) as (_, aws):
        folder = Path(name)
        environment = unit_environment("novaburst-listener.service") | aws | {"NOVABURST_STATE_DIR": name}
        with closing(Store(folder / "store.sqlite3")) as store:
            _enter(store, results)
            _send(aws, results)
            with child(_LISTENER, cores.measured, environment, folder / "log") as process:
                # The process's own start is not what is measured.
                first = until(lambda: store.counts().done, 60)
                began, cpu = time.perf_counter(), cpu_seconds([process])
                until(lambda: store.counts().done == count, 600)
                took, cpu = time.perf_counter() - began, cpu_seconds([process]) - cpu
    news = count - first
    return f"{count:,}", f"{LATENCY_MS:.0f}", f"{took:.1f}", f"{news / took:.0f}", f"{1000 * cpu / news:.2f}"


def _enter(store: Store, results: Sequence[Result]) -> None:
    store.add_batch(_BATCH, time.time())
    for result in results:
        store.add_image(Image(result.id, _BATCH, result.name, 1, State.QUEUED, time.time()))


def _send(environment: Mapping[str, str], results: Sequence[Result]) -> None:
    session = boto3.Session(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    sqs = session.client("sqs", environment["AWS_DEFAULT_REGION"], endpoint_url=environment["AWS_ENDPOINT_URL"])
    queue = Queue(sqs, Settings(prefix=environment["NOVABURST_PREFIX"]).response_queue)
    bodies = [result.to_message() for result in results]
    with ThreadPoolExecutor(_SENDERS) as pool:
        list(pool.map(queue.send, (bodies[at : at + SQS_BATCH] for at in range(0, len(bodies), SQS_BATCH))))
