"""The model beside reality: the same workloads in the embedded AWS and in the simulator.

In the embedded AWS everything is real but the boot, which is waited for: uploads through the web tier, the deployed
Lambda, a worker process for each instance. The model gets what is true of this machine and this run: the boot, the
idle time, when each image was received (by the web tier's store), and how many images a worker classifies a second,
measured just before with as many workers at once, since they share this machine's cores with all the rest. What it
has to foretell is detection, launches, waits and instance time.
"""

import itertools
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import requests
from rich.console import Console
from rich.table import Table

from bench.deployment import Deployment
from bench.percentile import percentile
from simulator.run import Outcome, run
from simulator.scalers.ours import Lambda, limits
from simulator.workloads import Workload
from simulator.world import World
from tests.e2e.cloud import Cloud, started
from tests.photos import imagenet_photos

BOOT_SECONDS = 25.0
IDLE_SECONDS = 10
# Both cores have a worker; more would only share them.
MAX_WORKERS = 2
IMAGES_PER_WORKER = 100
# Seconds and images of each upload.
WORKLOADS: dict[str, Sequence[tuple[float, int]]] = {
    "burst of 200": ((0, 200),),
    "burst of 1,500": ((0, 1500),),
    "trickle of 1/s, then 600": (*((second, 1) for second in range(40)), (40, 600)),
    "two bursts of 400, 75 s apart": ((0, 400), (75, 400)),
}
QUICK = ("burst of 200", "two bursts of 400, 75 s apart")
GOAL = 0.15


@dataclass(frozen=True)
class Images:
    """When each image was received and answered, in seconds from the first; ordered by the former."""

    received: Sequence[float]
    answered: Sequence[float]

    @property
    def rate(self) -> float:
        """Images a second between the answers of the middle half: ramps at both ends left out."""
        return len(self.answered) / 2 / (percentile(self.answered, 0.75) - percentile(self.answered, 0.25))


def play(cloud: Cloud, uploads: Sequence[tuple[float, int]]) -> Images:
    """Upload at these moments, and wait until all is answered."""
    content = [photo.path.read_bytes() for photo in imagenet_photos()]
    photos = itertools.cycle(content)
    began, total = time.time(), sum(count for _, count in uploads)
    for at, count in uploads:
        time.sleep(max(0.0, began + at - time.time()))
        files = [("photo", (f"{number}.jpg", next(photos))) for number in range(count)]
        requests.post(f"{cloud.url}/api/v1/upload", files=files, timeout=300).raise_for_status()
    while len(images := _images(cloud, began)) < total:
        if time.time() > began + 1200:
            raise TimeoutError(f"{len(images)} of {total} images were answered within 1,200 s")
        time.sleep(0.5)
    first = images[0][0]
    return Images([received - first for received, _ in images], [answered - first for _, answered in images])


def _images(cloud: Cloud, since: float) -> list[tuple[float, float]]:
    with closing(sqlite3.connect(f"file:{cloud.state}/web/store.sqlite3?mode=ro", uri=True)) as store:
        return store.execute(
            "SELECT received, answered FROM images WHERE received >= ? AND state = 'answered' ORDER BY received",
            (since,),
        ).fetchall()


def predicted(name: str, images: Images, world: World) -> Outcome:
    """The model's run of the images as they were received."""
    moments, counts = np.unique(np.floor(np.array(images.received) / 0.1) * 0.1, return_counts=True)
    workload = Workload(name, tuple((float(at), int(count)) for at, count in zip(moments, counts, strict=True)))
    scaler = Lambda("ours", limits(idle=world.idle))
    return run(workload, scaler, world, images_per_worker=IMAGES_PER_WORKER, maximum=MAX_WORKERS)


def rows(cloud: Cloud, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Rows of the table: workload, figure, predicted, measured, difference."""
    deployment = Deployment(cloud)
    deployment.configure({"NOVABURST_IMAGES_PER_WORKER": str(IMAGES_PER_WORKER)})
    deployment.warm_up()
    for name in names:
        # Beside each workload, since the machine drifts: all workers at work, for long enough to see their rate.
        rate = play(cloud, ((0, 1000),)).rate / MAX_WORKERS
        deployment.wait_for_zero()
        world = replace(
            World(),
            images_per_second=rate,
            boot=(BOOT_SECONDS, BOOT_SECONDS),
            idle=float(IDLE_SECONDS),
            # These workers' machine has been on for longer than the minute that EC2 bills at least.
            least_billed=0.0,
            read_lag=0.0,
        )
        began = time.time()
        images = play(cloud, WORKLOADS[name])
        launched = sum(one.launched for one in deployment.capacity_since(began))
        deployment.wait_for_zero()
        model = predicted(name, images, world)
        waits = [answered - received for received, answered in zip(images.received, images.answered, strict=True)]
        figures = (
            ("last answer, s", model.finished, max(images.answered)),
            *(
                (f"{title} wait, s", told, percentile(waits, share))
                for title, told, share in (("p50", model.p50, 0.5), ("p95", model.p95, 0.95))
            ),
            ("launches", model.launches, launched),
        )
        for title, told, seen in figures:
            row = (name, f"{rate:.0f}", title, f"{told:.1f}", f"{seen:.1f}", f"{(told - seen) / seen:+.0%}")
            sys.stderr.write("  ".join(row) + "\n")
            yield row


def main(*, quick: bool) -> None:
    """Measure and print the table; the quick form has two workloads."""
    table = Table("workload", "images/s a worker", "figure", "predicted", "measured", "difference")
    options = ("--boot-seconds", str(BOOT_SECONDS), "--idle-seconds", str(IDLE_SECONDS))
    with (
        tempfile.TemporaryDirectory() as folder,
        started(Path(folder) / "state", *options, "--max-workers", str(MAX_WORKERS)) as cloud,
    ):
        for row in rows(cloud, QUICK if quick else list(WORKLOADS)):
            table.add_row(*row)
    late = sum(row.endswith("%") and abs(int(row[:-1])) > 100 * GOAL for row in table.columns[-1].cells)  # type: ignore[union-attr]
    Console(width=120).print(table, f"{late} of {table.row_count} figures differ by more than {GOAL:.0%}")
