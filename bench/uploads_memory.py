"""What nginx and the web tier need of memory, while 100 clients at once send files of 10 MB through nginx.

Their memory is the sum of each process's proportional share (PSS), looked at often; and where a memory cgroup can be
made (as root), all of it has to do with the 512 MB of the machine it is made for, page cache included.

`python -m bench.uploads_memory [--quick] [--measured CORE] [--others CORE]`
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench.percentile import percentile
from bench.uploads_command import command
from bench.uploads_tier import PROJECT, Cores, Tier, light_aws, web_tier

CLIENTS = 100
FILE_BYTES = 10_000_000
FILES_A_CLIENT, QUICK_FILES = 4, 2
LIMIT_BYTES = 512 * 1024**2
# S3 is slower with large objects; what matters here is that a put takes longer than its file's arrival.
_LATENCY_MS = 100.0
_LOOK_SECONDS = 0.05
_CGROUP = Path("/sys/fs/cgroup/memory")


@dataclass
class Peak:
    """The most that all parts together had at one look, and what each had then, in MiB."""

    together: float = 0
    parts: dict[str, float] = field(default_factory=dict)

    def look(self, tier: Tier) -> None:
        """Look once."""
        parts = {part: sum(map(pss_mib, tier.processes(part))) for part in tier.parts}
        if sum(parts.values()) > self.together:
            self.together, self.parts = sum(parts.values()), parts


class Limit:
    """A memory cgroup (version 1) with a limit."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def enclose(self, processes: Sequence[psutil.Process]) -> None:
        """Take processes in; what they come to hold counts from now on, and so do their children."""
        for process in processes:
            (self._folder / "cgroup.procs").write_text(str(process.pid))

    @property
    def kills(self) -> int:
        """How often a process was killed at the limit."""
        lines = (self._folder / "memory.oom_control").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def pss_mib(process: psutil.Process) -> float:
    """A process's share of memory, pages of several processes in parts, in MiB; nothing for one that has ended."""
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


@contextmanager
def limited(limit_bytes: int) -> Iterator[Limit]:
    """A cgroup of that size, for processes that end before the block does."""
    folder = _CGROUP / f"novaburst-bench-{time.time_ns()}"
    folder.mkdir()
    try:
        (folder / "memory.limit_in_bytes").write_text(str(limit_bytes))
        yield Limit(folder)
    finally:
        folder.rmdir()


@contextmanager
def watched(tier: Tier) -> Iterator[Peak]:
    """Look at the memory again and again until the end of the block."""
    peak, over = Peak(), threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_SECONDS):
            peak.look(tier)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def run(cores: Cores, *, quick: bool) -> None:
    """Measure and print the tables."""
    can_limit = (_CGROUP / "memory.limit_in_bytes").exists() and psutil.Process().username() == "root"
    files = QUICK_FILES if quick else FILES_A_CLIENT
    with (
        light_aws(cores.others, _LATENCY_MS) as (_, environment),
        limited(LIMIT_BYTES) if can_limit else nullcontext() as limit,
        web_tier(cores.measured, environment) as tier,
    ):
        if limit is not None:
            for part in tier.parts:
                limit.enclose(tier.processes(part))
        with watched(tier) as idle:
            time.sleep(2)
        about = map(str, (tier.url, CLIENTS, FILE_BYTES, 600, files))
        command = ["taskset", "-c", str(cores.others), sys.executable, "-m", "bench.uploads_clients", *about]
        with watched(tier) as peak:
            said = json.loads(
                subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, check=True, timeout=900).stdout
            )
        kills = "" if limit is None else str(limit.kills)
    memory = Table("MiB", *idle.parts, "together")
    for name, seen in (("idle", idle), ("at the most", peak)):
        memory.add_row(name, *(f"{seen.parts[part]:.0f}" for part in idle.parts), f"{seen.together:.0f}")
    totals = list(map(sum, said["seconds"]))
    clients = Table("clients", "files each", "MB/s", "quickest client s", "median", "slowest", "killed at 512 MB")
    clients.add_row(
        *(str(CLIENTS), str(files), f"{CLIENTS * files * FILE_BYTES / 1e6 / said['took']:.0f}"),
        *(f"{percentile(totals, share):.1f}" for share in (0, 0.5, 1)),
        kills or "not tried",
    )
    Console(width=140).print(memory, clients)


def main(*, quick: bool) -> None:
    """The measurement, as `python -m bench` runs it."""
    run(Cores(), quick=quick)


if __name__ == "__main__":
    command(run, "Measure memory and fairness, and print the tables.")()
