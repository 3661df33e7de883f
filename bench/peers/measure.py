"""One peer, measured: cold start, rate, times, memory and CPU with warm processes, and what kills cost."""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from bench.peers.account import Account, Fate, Outcome, account
from bench.peers.clients import AT_ONCE, PATIENCE_SECONDS, Photo, Target, ask, crowd
from bench.peers.kills import Campaign, Killed
from bench.peers.parts import PROJECT, System
from bench.peers.peer import Peer, Start
from bench.uploads_memory import pss_mib

KIND = "500x375"
# Sent before the clock starts, as often as are sent at once.
_WARM_ROUNDS = 3
_START_SECONDS = 120.0
_COLD_PAUSES = (0.01,)
# A look takes CPU time of its own.
_LOOK_SECONDS = 1.0
# Which of a kind is killed, and how soon: the same in each run.
_SEED = 10


@dataclass(frozen=True)
class Size:
    """How long one look is: photos for the rate, and kills."""

    photos: int = 1000
    kills: int = 20


QUICK = Size(photos=300, kills=2)


@dataclass(frozen=True)
class Warm:
    """A run with warm processes; CPU in milliseconds an image by part, memory in MiB by part at its highest."""

    rate: float
    account: Account
    cpu_ms: Mapping[str, float]
    client_ms: float
    memory_mib: Mapping[str, float]


@dataclass(frozen=True)
class Seen:
    """All of one peer; the bound in images a second, `cold` in seconds from the start to the first answer."""

    peer: Peer
    bound: float
    cold: float
    warm: Warm
    aside: frozenset[str]
    killed: Killed


def measure(peer: Peer, photos: Sequence[Photo], model: Path, size: Size) -> Seen:
    """Start the peer, measure it and end it.

    Raises:
        bench.peers.environments.PeerMissingError: it cannot be installed here.
        RuntimeError: it does not start, or gives a photo another label than the model's.
    """
    bound = bound_a_second(model)
    with _started(peer.start, peer, photos[0], model) as (system, target, cold):
        warm = asyncio.run(_warm(system, target, photos, size.photos))
        aside = system.aside
        if not peer.start_for_kills:
            return Seen(peer, bound, cold, warm, aside, _killed(system, target, photos, size))
    with _started(peer.start_for_kills, peer, photos[0], model) as (system, target, _):
        killed = _killed(system, target, photos, size)
    return Seen(peer, bound, cold, warm, aside, killed)


def bound_a_second(model: Path) -> float:
    """Images a second that as many processes as cores decode and classify, all at once and without any serving."""
    order = json.dumps([str(model), [KIND], ["onnxruntime"]])
    children = [
        subprocess.Popen(
            ["taskset", "-c", str(core), sys.executable, "-m", "bench.worker_stages", order],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
        )
        for core in sorted(os.sched_getaffinity(0))
    ]
    costs: list[dict[str, float]] = [json.loads(child.communicate()[0]) for child in children]
    return sum(1000 / sum(cost.values()) for cost in costs)


@contextmanager
def _started(start: Start, peer: Peer, photo: Photo, model: Path) -> Iterator[tuple[System, Target, float]]:
    with TemporaryDirectory() as name, start(Path(name), model) as system:
        # Whatever a system answers before it is ready, it is asked again.
        patient = Target(system.url, True, _START_SECONDS, _COLD_PAUSES)
        outcome = asyncio.run(_first(system, patient, photo))
        if outcome is None or outcome.fate is not Fate.ANSWERED:
            raise RuntimeError(f"{peer.name} does not serve; its logs end with {system.last_lines()}")
        target = Target(system.url, peer.repeats, PATIENCE_SECONDS[peer.repeats])
        yield system, target, time.perf_counter() - system.began


async def _first(system: System, target: Target, photo: Photo) -> Outcome | None:
    """The first photo's fate; None when a part of the system ended before."""
    asking = asyncio.create_task(ask(target, photo))
    while not asking.done() and not system.ended:
        await asyncio.sleep(_COLD_PAUSES[0])
    return asking.result() if asking.done() else None


async def _warm(system: System, target: Target, photos: Sequence[Photo], count: int) -> Warm:
    await crowd(target, islice(cycle(photos), _WARM_ROUNDS * AT_ONCE), _never, _nothing, yields=False)
    processes = system.processes()
    peak = _Peak({part: found for part, found in processes.items() if part not in system.aside})
    watching = asyncio.create_task(peak.watch())
    before = _cpu_seconds(processes)
    began, client = time.perf_counter(), time.process_time()
    outcomes = await crowd(target, islice(cycle(photos), count), _never, _nothing, yields=False)
    took, client = time.perf_counter() - began, time.process_time() - client
    after = _cpu_seconds(system.processes())
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    seen = account(outcomes)
    if seen.wrong or not seen.answered:
        raise RuntimeError(f"{seen.wrong} of {count} photos got another label than the model's, {seen.lost} none")
    return Warm(
        rate=seen.answered / took,
        account=seen,
        cpu_ms={part: 1000 * _used(before[part], after[part]) / seen.answered for part in after},
        client_ms=1000 * client / seen.answered,
        memory_mib=peak.parts,
    )


def _cpu_seconds(processes: Mapping[str, Sequence[psutil.Process]]) -> dict[str, dict[psutil.Process, float]]:
    used: dict[str, dict[psutil.Process, float]] = {part: {} for part in processes}
    for part, found in processes.items():
        for process in found:
            # Ray ends processes that it does not need.
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                used[part][process] = float(times.user + times.system)
    return used


def _used(before: Mapping[psutil.Process, float], after: Mapping[psutil.Process, float]) -> float:
    return sum(seconds - before.get(process, 0.0) for process, seconds in after.items())


def _killed(system: System, target: Target, photos: Sequence[Photo], size: Size) -> Killed:
    return asyncio.run(Campaign(system, target, random.Random(_SEED)).run(photos, size.kills))


@dataclass
class _Peak:
    """The most that processes had together at one look, and what those of each part had then."""

    processes: Mapping[str, Sequence[psutil.Process]]
    parts: dict[str, float] = field(default_factory=dict)

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            seen = {part: sum(map(pss_mib, found)) for part, found in self.processes.items()}
            if sum(seen.values()) > sum(self.parts.values()):
                self.parts = seen
            await asyncio.sleep(_LOOK_SECONDS)


def _never() -> bool:
    return False


def _nothing(_: object) -> None:
    pass
