"""Uploads a second through nginx, and how long each takes, for 1, 10 and 100 clients.

Beside it, the same puts and sends by boto3 alone with as many threads, and Flask's simplest handler doing the same one
by one. What is measured has one core; the clients and the stand-in for AWS, whose calls take 30 ms each, the other. The
CPU time of an upload does not depend on how many cores there are: what the stand-in takes is told apart.

`python -m bench.uploads [--quick] [--measured CORE] [--others CORE]`
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from bench.percentile import percentile
from bench.uploads_command import command
from bench.uploads_tier import PROJECT, Cores, answers, child, cpu_seconds, light_aws, web_tier
from local_cloud.preflight import free_port
from tests.e2e.cloud import until

CLIENTS = (1, 10, 100)
# About the mean of the photos of 500x375 that the worker's benchmark uses.
FILE_BYTES = 58_000
LATENCY_MS = 30.0
SECONDS, QUICK_SECONDS = 4.0, 3.0
ROUNDS = 3
# Before the clock starts: threads, connections and caches are made.
_WARM_SECONDS = 2.0
_NO_LIMIT = 10**9


@dataclass(frozen=True)
class Seen:
    """One run: how long it and each upload took, CPU time of what was measured and of the stand-in. Seconds."""

    took: float
    uploads: Sequence[float]
    cpu: float
    aws_cpu: float

    @property
    def a_second(self) -> float:
        """Uploads a second."""
        return len(self.uploads) / self.took

    def within_ms(self, share: float) -> float:
        """Within how many milliseconds this share of the uploads was done."""
        return 1000 * percentile(self.uploads, share)


class Bench:
    """The three ways, before one stand-in for AWS."""

    def __init__(self, cores: Cores, aws: psutil.Process, environment: Mapping[str, str], seconds: float) -> None:
        self._cores = cores
        self._environment = environment
        self._seconds = seconds
        self._aws = aws

    def boto3_loop(self, clients: int) -> Seen:
        """Puts and sends alone."""
        aws = cpu_seconds([self._aws])
        said = self._run(self._cores.measured, "bench.uploads_loop", clients, FILE_BYTES, self._seconds)
        uploads = list(chain.from_iterable(said["seconds"]))
        return Seen(said["took"], uploads, said["cpu"], cpu_seconds([self._aws]) - aws)

    def behind(self, url: str, clients: int, measured: Sequence[psutil.Process], seconds: float | None = None) -> Seen:
        """Clients that upload to that address."""
        before, aws = cpu_seconds(measured), cpu_seconds([self._aws])
        about = (url, clients, FILE_BYTES, seconds or self._seconds, _NO_LIMIT)
        said = self._run(self._cores.others, "bench.uploads_clients", *about)
        uploads = list(chain.from_iterable(said["seconds"]))
        return Seen(said["took"], uploads, cpu_seconds(measured) - before, cpu_seconds([self._aws]) - aws)

    @contextmanager
    def flask(self) -> Iterator[tuple[str, psutil.Process]]:
        """Flask's simplest handler: its address and its process."""
        url = f"http://127.0.0.1:{(port := free_port())}"
        command = (sys.executable, "-m", "bench.uploads_flask", str(port))
        with (
            TemporaryDirectory() as folder,
            child(command, self._cores.measured, self._environment, Path(folder) / "log") as process,
        ):
            until(lambda: answers(url), 30)
            yield url, process

    def _run(self, core: int, module: str, *about: object) -> dict[str, Any]:
        command = ["taskset", "-c", str(core), sys.executable, "-m", module, *map(str, about)]
        ended = subprocess.run(
            command, cwd=PROJECT, env=dict(self._environment), stdout=subprocess.PIPE, check=True, timeout=600
        )
        said: dict[str, Any] = json.loads(ended.stdout)
        return said


def measure(bench: Bench, cores: Cores, environment: Mapping[str, str], rounds: int) -> Iterator[list[str]]:
    """A row of the table for each way and number of clients; the ways take turns, so that all see the same machine."""
    with web_tier(cores.measured, environment) as tier, bench.flask() as (url, process):
        processes = [process for part in tier.parts for process in tier.processes(part)]
        bench.behind(tier.url, max(CLIENTS), processes, _WARM_SECONDS)
        ways: dict[str, Callable[[int], Seen]] = {
            "boto3 alone": bench.boto3_loop,
            "web tier": lambda clients: bench.behind(tier.url, clients, processes),
            "Flask, one by one": lambda clients: bench.behind(url, clients, [process]),
        }
        for clients in CLIENTS:
            seen = [{name: way(clients) for name, way in ways.items()} for _ in range(rounds)]
            typical = {name: _middle([one[name] for one in seen]) for name in ways}
            for name, one in typical.items():
                yield _row(name, clients, one, typical["boto3 alone"])


def _middle(seen: Sequence[Seen]) -> Seen:
    """The run whose rate is the median."""
    return sorted(seen, key=lambda one: one.a_second)[len(seen) // 2]


def _row(name: str, clients: int, seen: Seen, bare: Seen) -> list[str]:
    return [
        *(name, str(clients), f"{seen.a_second:.1f}", f"{seen.a_second / bare.a_second:.2f}"),
        *(f"{seen.within_ms(share):.0f}" for share in (0.5, 0.95, 0.99)),
        *(f"{1000 * cpu / len(seen.uploads):.2f}" for cpu in (seen.cpu, seen.aws_cpu)),
    ]


def run(cores: Cores, *, quick: bool) -> None:
    """Measure and print the table."""
    table = Table("way", "clients", "uploads/s", "of boto3", "p50 ms", "p95", "p99", "CPU ms an upload", "AWS's CPU ms")
    with light_aws(cores.others, LATENCY_MS) as (aws, environment):
        bench = Bench(cores, aws, environment, QUICK_SECONDS if quick else SECONDS)
        for row in measure(bench, cores, environment, 1 if quick else ROUNDS):
            sys.stderr.write("  ".join(row) + "\n")
            table.add_row(*row)
    Console(width=140).print(table)


def main(*, quick: bool) -> None:
    """The measurement, as `python -m bench` runs it."""
    run(Cores(), quick=quick)


if __name__ == "__main__":
    command(run, "Measure uploads a second and print the table.")()
