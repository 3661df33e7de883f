"""A thousand clients, slow and fast, for ten minutes, through nginx into the whole system on this machine.

`python -m bench load [--clients 1000] [--minutes 10] [--quick]`: what they got, whether an answer was lost or a
refusal came without a time to come again, how long photos took, and the memory of each part as time went by. A photo
is accepted at the end of the upload, after all that were put off and, for every fourth client, its answer; how long
the server took for that last one is counted from its last byte. The course's clients, whose connections are dropped
by design where others are put off, are not in this crowd: no connection may break. The crowd, the embedded AWS and
the workers share the machine with what is measured, and there is always more to do than it can: the times tell how
overload is met, not how fast the web tier is (`uploads` does). The embedded AWS holds all objects in memory, so that
it alone may grow.
"""

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import psutil
from rich.console import Console
from rich.table import Table

from bench.percentile import percentile
from bench.uploads_memory import pss_mib
from bench.uploads_tier import unit_environment
from tests.e2e.cloud import Cloud, started
from tests.e2e.nginx import Nginx, before

_LOOK_SECONDS = 2.0
_WORKERS = 2
# What each part's processes are found by in their command lines.
_PARTS = {"web tier": "gunicorn", "listener": "web_tier.listener", "embedded AWS": "local_cloud.server"}
# A part that grows by more than this share between the second and the last fifth of the time is not flat.
_FLAT = 0.15


class Memory:
    """What the parts hold, in MiB, look after look."""

    def __init__(self, cloud: Cloud, nginx: Nginx) -> None:
        self._cloud = cloud
        self._nginx = psutil.Process(nginx.process.pid)
        self.seen: dict[str, list[float]] = defaultdict(list)

    def look(self) -> None:
        """Look once."""
        parts = {part: self._cloud.running(word) for part, word in _PARTS.items()}
        for part, processes in {"nginx": [self._nginx, *self._nginx.children()], **parts}.items():
            self.seen[part].append(sum(map(pss_mib, processes)))


@contextmanager
def _watching(memory: Memory) -> Iterator[None]:
    over = threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_SECONDS):
            memory.look()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def fifths(values: Sequence[float]) -> list[float]:
    """The mean of each fifth of the values; 0 where there are too few."""
    edges = [len(values) * fifth // 5 for fifth in range(6)]
    return [sum(values[a:b]) / max(1, b - a) for a, b in itertools.pairwise(edges)]


def _crowd(url: str, clients: int, seconds: float) -> dict[str, Any]:
    about = map(str, (url, clients, seconds))
    ended = subprocess.run([sys.executable, "-m", "bench.load_clients", *about], stdout=subprocess.PIPE, check=True)
    tally: dict[str, Any] = json.loads(ended.stdout)
    return tally


def _share(seconds: Sequence[float], share: float) -> str:
    return f"{percentile(seconds, share):.1f}" if seconds else "-"


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} x {what}" for what, count in counts.items()) or "none"


def _tables(tally: Mapping[str, Any], memory: Mapping[str, Sequence[float]]) -> Iterator[Table]:
    photos = Table("photos", "number", "p50 s", "p99 s")
    rows = [(f"accepted, {kind}", seconds) for kind, seconds in sorted(tally["accepted"].items())]
    rows += [(f"  from the last byte, {kind}", seconds) for kind, seconds in sorted(tally["taken"].items())]
    for words, seconds in (*rows, ("answered", tally["answered"])):
        photos.add_row(words, str(len(seconds)), _share(seconds, 0.5), _share(seconds, 0.99))
    yield photos
    answers = Table("what clients got", "")
    for words, name in (
        ("put off, with Retry-After", "put_off"),
        ("refused without it", "rude"),
        ("no answer, repeated", "broken"),
        ("error results", "failed"),
    ):
        answers.add_row(words, _words(tally[name]))
    for words, name in (("lost", "lost"), ("contradicted", "contradicted")):
        answers.add_row(words, ", ".join(tally[name]) or "none")
    yield answers
    parts = Table("MiB in each fifth of the time", *"12345")
    for part, seen in memory.items():
        parts.add_row(part, *(f"{mean:.0f}" for mean in fifths(seen)))
    yield parts


def faults(tally: Mapping[str, Any], memory: Mapping[str, Sequence[float]]) -> list[str]:
    """What must not be, in words: of the crowd's tally, and of each part's memory, look after look."""
    wrong = [f"{len(tally[name])} {name}" for name in ("lost", "contradicted") if tally[name]]
    if tally["rude"]:
        wrong.append("refusals without a Retry-After")
    if tally["broken"]:
        wrong.append(f"{sum(tally['broken'].values())} connections without an answer")
    for part in ("nginx", "web tier", "listener"):
        _, second, *_, last = fifths(memory[part])
        if last > second * (1 + _FLAT) + 1:
            wrong.append(f"{part} grew from {second:.0f} to {last:.0f} MiB")
    return wrong


@click.command(help=__doc__)
@click.option("--clients", default=1000, show_default=True)
@click.option("--minutes", default=10.0, show_default=True)
@click.option("--quick", is_flag=True, help="One minute.")
def command(clients: int, minutes: float, quick: bool) -> None:
    """Measure, print the tables, and end with status 1 where something was lost, broke or grew."""
    seconds = 60.0 if quick else 60 * minutes
    options = ("--max-workers", str(_WORKERS))
    # As its unit has it: how glibc keeps what threads have freed is most of what the memory shows.
    malloc = {name: value for name, value in unit_environment("novaburst-web.service").items() if "MALLOC" in name}
    with TemporaryDirectory() as name, started(Path(name) / "state", *options, environment=malloc) as cloud:
        environment = {**os.environ, "NOVABURST_BIND": f"127.0.0.1:{cloud.port}"}
        with before(environment, Path(name) / "nginx") as nginx:
            memory = Memory(cloud, nginx)
            began = time.monotonic()
            with _watching(memory):
                tally = _crowd(nginx.url, clients, seconds)
            took = time.monotonic() - began
    console = Console(width=140)
    console.print(f"{clients} clients sent for {seconds:.0f} s; the last had its answer after {took:.0f} s")
    console.print(*_tables(tally, memory.seen))
    if wrong := faults(tally, memory.seen):
        raise click.ClickException("; ".join(wrong))
