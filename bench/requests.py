"""What an image and an hour at rest ask of AWS, counted by the light stand-in: calls, bytes stored, bytes logged.

The real web tier, listener and workers (one thread a core) take a burst that comes while no worker is there, as many as
`novaburst submit` sends at once, and then, for themselves, from clients that send one photo a request and wait for its
answer. The workers come when they would have booted. Dollars are list prices (simulator/prices.py).
"""

import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
from rich.console import Console
from rich.table import Table

from bench.peers.novaburst.peer import Site, web_tier
from bench.requests_aws import PATH
from bench.uploads_tier import PROJECT, answers
from bench.worker_models import LITE0, bake_models
from bench.worker_photos import photos
from simulator.prices import Prices
from simulator.world import World
from tests.e2e.cloud import until

KIND = "500x375"
IMAGES, QUICK_IMAGES = 2_000, 200
REST_SECONDS, QUICK_REST_SECONDS = 300, 30
# As many as the course's clients have threads.
_CLIENTS = 100
_WAIT_SECONDS = 600
_INVOCATIONS = 50
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html: a whole core at so much memory, in MB.
_CORE_MB = 1769
_CORE_SHARE = 512 / _CORE_MB

# Calls by service, action and resource, for one image or for one hour.
Calls = Mapping[str, float]


@dataclass(frozen=True)
class Counted:
    """What one burst asked for, by image; `seconds` is how long all of it took."""

    calls: Calls
    photo_bytes: float
    result_bytes: float
    log_bytes: float
    log_lines: float
    seconds: float


def main(*, quick: bool) -> None:
    """Measure and print the tables."""
    bake_models()
    images, seconds = (QUICK_IMAGES, QUICK_REST_SECONDS) if quick else (IMAGES, REST_SECONDS)
    submitted, singly = _burst(images, _submit), _burst(images, _post_singly)
    rest, invocation = _rest(seconds)
    console = Console(width=118)
    console.print(_table(f"calls an image ({images:,} photos of {KIND})", submitted.calls, singly.calls))
    console.print(_sizes(submitted, singly))
    console.print(_at_rest(f"calls an hour at rest (seen for {seconds} s)", rest))
    console.print(invocation)


def _burst(images: int, send: Callable[[Site, Path, int], None]) -> Counted:
    with _site() as (site, folder):
        workers = threading.Timer(World().boot[0], site.start_workers)
        workers.start()
        try:
            began = time.perf_counter()
            send(site, folder, images)
            took = time.perf_counter() - began
        finally:
            workers.cancel()
            workers.join()
        account = _account(site)
        lines = [line for log in folder.glob("worker *.log") for line in log.read_bytes().splitlines(keepends=True)]
    return Counted(
        {call: count / images for call, count in account["calls"].items()},
        account["stored"]["in-bucket"] / images,
        account["stored"]["out-bucket"] / images,
        sum(map(len, lines)) / images,
        len(lines) / images,
        took,
    )


def _submit(site: Site, folder: Path, images: int) -> None:
    photographs = folder / "photos"
    photographs.mkdir()
    for number, photo in enumerate(islice(cycle(photos(KIND)), images)):
        (photographs / f"{number}.jpg").write_bytes(photo)
    command = [str(Path(sys.executable).parent / "novaburst"), "submit", str(photographs), "--url", site.url, "--csv"]
    environment = {**site.environment, "XDG_STATE_HOME": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=PROJECT)
    if done.returncode:
        raise RuntimeError(f"novaburst submit failed: {done.stderr[-500:]}{site.parts.parts['web tier'].last_lines()}")


def _post_singly(site: Site, _: Path, images: int) -> None:
    def post(photo: bytes) -> None:
        url = f"{site.url}/api/v1/upload?wait={_WAIT_SECONDS}"
        requests.post(url, files={"file": ("photo.jpg", photo)}, timeout=_WAIT_SECONDS + 10).raise_for_status()

    with ThreadPoolExecutor(_CLIENTS) as pool:
        list(pool.map(post, islice(cycle(photos(KIND)), images)))


def _rest(seconds: int) -> tuple[Calls, str]:
    """Calls an hour of web tier and listener with nothing to do; and what the Lambda's look each minute is."""
    with _site() as (site, _):
        # What the start itself asks is not what stays.
        time.sleep(10)
        _account(site)
        time.sleep(seconds)
        calls = {call: count * 3600 / seconds for call, count in _account(site)["calls"].items()}
        command = [sys.executable, "-m", "bench.requests_lambda", str(_INVOCATIONS)]
        done = subprocess.run(command, env=site.environment, capture_output=True, check=True, cwd=PROJECT)
        asked = _account(site)["calls"]
    times = json.loads(done.stderr.splitlines()[-1])
    logged = len(done.stdout) / (_INVOCATIONS + 1)
    scaled = times["seconds"] + times["cpu_seconds"] * (1 / _CORE_SHARE - 1)
    each = ", ".join(
        f"{math.floor(count / _INVOCATIONS)} {call}" for call, count in asked.items() if count >= _INVOCATIONS
    )
    return calls, (
        f"the Lambda's look each minute at rest: {each}; {times['seconds']:.3f} s here, of which CPU"
        f" {times['cpu_seconds']:.3f} s, so {scaled:.2f} s with 512 MB ({_CORE_SHARE:.2f} of a core);"
        f" {logged:,.0f} bytes of log, without Lambda's own lines"
    )


@contextmanager
def _site() -> Iterator[tuple[Site, Path]]:
    with TemporaryDirectory() as name, web_tier(Path(name), LITE0, "bench.requests_aws") as site:
        until(lambda: answers(f"{site.url}/healthz"), 60)
        _account(site)
        yield site, Path(name)


def _account(site: Site) -> Mapping[str, Mapping[str, int]]:
    """The calls and bytes since the last time."""
    account: Mapping[str, Mapping[str, int]] = requests.get(f"{site.aws}{PATH}", timeout=10).json()
    return account


def _table(title: str, submitted: Calls, singly: Calls) -> Table:
    table = Table("service", "action", "of", title=title, title_justify="left")
    for column in ("submit", "$ a 1,000", "one a request", "$ a 1,000"):
        table.add_column(column, justify="right")
    for call in sorted({*submitted, *singly}):
        cells = [
            cell
            for calls in (submitted, singly)
            for cell in (f"{calls.get(call, 0):.4f}", f"{1000 * _dollars({call: calls.get(call, 0)}):.5f}")
        ]
        table.add_row(*call.split(), *cells)
    for service in ("s3", "sqs"):
        cells = []
        for calls in (submitted, singly):
            own = {call: count for call, count in calls.items() if call.startswith(f"{service} ")}
            cells += [f"{sum(own.values()):.4f}", f"{1000 * _dollars(own):.5f}"]
        table.add_row(service, "all", "", *cells)
    return table


def _sizes(submitted: Counted, singly: Counted) -> Table:
    table = Table("an image", "submit", "one a request")
    for name, figures in (
        ("photo, bytes", (submitted.photo_bytes, singly.photo_bytes)),
        ("result object, bytes", (submitted.result_bytes, singly.result_bytes)),
        ("the worker's log, bytes", (submitted.log_bytes, singly.log_bytes)),
        ("the worker's log, lines", (submitted.log_lines, singly.log_lines)),
        ("the whole burst, seconds", (submitted.seconds, singly.seconds)),
    ):
        table.add_row(name, *(f"{figure:,.{0 if figure >= 10 else 3}f}" for figure in figures))
    return table


def _at_rest(title: str, calls: Calls) -> Table:
    table = Table("service", "action", "of", "an hour", title=title, title_justify="left")
    for call, count in sorted(calls.items()):
        table.add_row(*call.split(), f"{count:,.0f}")
    return table


def _dollars(calls: Calls) -> float:
    prices = Prices()
    return sum(count * prices.call(*call.split()[:2]) for call, count in calls.items())
