"""How long one photo takes through the whole system: from no worker at all, and with the fleet warm.

Starts `novaburst up` with boot seconds 0, so the cold figure is detection, launch, the worker's own start and its work.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import requests
from rich.console import Console
from rich.table import Table

from bench.percentile import percentile
from tests.e2e.cloud import Cloud, started, until
from tests.photos import larger_photos

COLD_RUNS = 5
WARM_RUNS = 50
IDLE_SECONDS = 3


def answer_seconds(cloud: Cloud, photo: Path) -> float:
    """Seconds from the first byte of the upload to the answer in the same request."""
    content = photo.read_bytes()
    began = time.perf_counter()
    reply = requests.post(f"{cloud.url}/", files={"inputFile": (photo.name, content)}, timeout=120)
    took = time.perf_counter() - began
    reply.raise_for_status()
    return took


def row(name: str, seconds: Sequence[float]) -> tuple[str, ...]:
    """A table row of milliseconds: minimum, median, 95th percentile, maximum."""
    figures = (percentile(seconds, share) for share in (0, 0.5, 0.95, 1))
    return (name, str(len(seconds)), *(f"{figure * 1000:.0f}" for figure in figures))


def main(*, quick: bool) -> None:
    """Measure and print the table; the quick form is one cold and ten warm."""
    cold_runs, warm_runs = (1, 10) if quick else (COLD_RUNS, WARM_RUNS)
    photo = larger_photos()["daisy"]
    cold, warm = [], []
    with (
        tempfile.TemporaryDirectory() as state,
        started(Path(state), "--boot-seconds", "0", "--idle-seconds", str(IDLE_SECONDS)) as cloud,
    ):
        for _ in range(cold_runs):
            until(lambda: not cloud.workers(), 60)
            time.sleep(2)
            cold.append(answer_seconds(cloud, photo))
        warm = [answer_seconds(cloud, photo) for _ in range(warm_runs)]
    table = Table("from upload to answer, ms", "runs", "min", "median", "p95", "max")
    table.add_row(*row("cold: no worker, boot 0 s", cold))
    table.add_row(*row("warm: workers waiting", warm))
    Console(width=120).print(table)
