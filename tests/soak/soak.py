"""Workers on a bad day: images of every kind, a service with faults, and kill -9; then an account of it all."""

import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from novaburst.contract import Request, Result, new_id, result_key, utc_now
from tests.soak.cloud import Cloud
from tests.soak.content import Upload
from tests.unit.worker_ami.baked import PROJECT

_LOOK_SECONDS = 0.2


@dataclass
class Report:
    """What a client saw, what was left, and what it took. `rss` is (images answered, MiB) of one worker."""

    wrong: dict[str, str] = field(default_factory=dict)
    contradictions: dict[str, set[str]] = field(default_factory=dict)
    held: int = 0
    waiting: int = 0
    dead: int = 0
    statuses: list[int] = field(default_factory=list)
    killed: int = 0
    starts: int = 0
    seconds: float = 0
    rss: list[tuple[int, float]] = field(default_factory=list)


class Workers:
    """So many worker processes, each started again when it ends, as its unit would; their logs lie in `folder`."""

    def __init__(self, cloud: Cloud, count: int, folder: Path, **more: str) -> None:
        self._environment = cloud.environment | more
        self._folder = folder
        self.starts = 0
        self.processes = [self._start() for _ in range(count)]

    def tend(self) -> None:
        """Start those again that have ended."""
        self.processes = [process if process.poll() is None else self._start() for process in self.processes]

    def kill(self, dice: random.Random) -> None:
        """Kill one with no warning."""
        dice.choice(self.processes).kill()

    def stop(self) -> list[int]:
        """Tell all to end; their exit statuses."""
        self.tend()
        time.sleep(2)
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        return [process.wait(30) for process in self.processes]

    def end(self) -> None:
        """Leave nothing running."""
        for process in self.processes:
            process.kill()
            process.wait()

    def _start(self) -> "subprocess.Popen[bytes]":
        self.starts += 1
        with (self._folder / "workers.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "worker_ami.worker"], env=self._environment, cwd=PROJECT, stderr=log
            )


def soak(
    cloud: Cloud, uploads: Sequence[Upload], workers: Workers, *, kills: int, patience: float, dice: random.Random
) -> Report:
    """Have the workers answer all uploads within `patience` seconds, and kill `kills` of them meanwhile."""
    began = time.monotonic()
    expected = {request: answer for request, (_, answer) in zip(_ask(cloud, uploads), uploads, strict=True)}
    report, answers = Report(), {}
    # Spread over the images and not over time, so that a slow machine is not killed to a standstill.
    kill_at = sorted(dice.randrange(len(uploads)) for _ in range(kills))
    while len(answers) < len(expected) and time.monotonic() - began < patience:
        time.sleep(_LOOK_SECONDS)
        workers.tend()
        answers |= _stored(cloud, expected.keys() - answers.keys())
        if not report.rss or len(answers) >= report.rss[-1][0] + 250:
            report.rss.append((len(answers), _mebibytes(workers.processes[0].pid)))
        if kill_at and len(answers) >= kill_at[0]:
            kill_at.pop(0)
            workers.kill(dice)
            report.killed += 1
    deadline = time.monotonic() + 30
    while cloud.requests.depth().backlog and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        workers.tend()
    report.statuses = workers.stop()
    report.seconds, report.starts = time.monotonic() - began, workers.starts
    report.wrong = {
        image_id: f"{expected[image_id]}: {answers.get(image_id, 'no answer')}"
        for image_id in expected
        if answers.get(image_id) != expected[image_id]
    }
    report.contradictions = _contradictions(cloud, answers)
    depth = cloud.requests.depth()
    report.held, report.waiting, report.dead = depth.in_flight, depth.visible, cloud.dead.depth().backlog
    return report


def _ask(cloud: Cloud, uploads: Sequence[Upload]) -> list[str]:
    requests = []
    for content, _ in uploads:
        image_id = new_id()
        bucket = cloud.in_bucket.name
        requests.append(Request(id=image_id, batch="b", bucket=bucket, key=image_id, name="n", sent=utc_now()))
        if content is not None:
            cloud.in_bucket.put(image_id, content)
    assert cloud.requests.send([request.to_message() for request in requests]) == []
    return [request.id for request in requests]


def _stored(cloud: Cloud, awaited: set[str]) -> dict[str, str]:
    keys = cloud.out_bucket.keys()
    ready = {key.removesuffix(".json") for key in keys} & awaited
    with ThreadPoolExecutor(4) as threads:
        return dict(threads.map(lambda image_id: (image_id, _answer(_result(cloud, image_id))), ready))


def _result(cloud: Cloud, image_id: str) -> Result:
    return Result.parse(cloud.out_bucket.get(result_key(image_id)))


def _answer(result: Result) -> str:
    return result.error.code if result.error else result.label or ""


def _contradictions(cloud: Cloud, answers: dict[str, str]) -> dict[str, set[str]]:
    # A client keeps one answer an image: whatever is said about an image must be the same as what is stored.
    said: defaultdict[str, set[str]] = defaultdict(set)
    while messages := cloud.responses.receive(wait_seconds=0):
        for result in (Result.parse(message.body) for message in messages):
            said[result.id].add(_answer(result))
        cloud.responses.delete(messages)
    return {image_id: what for image_id, what in said.items() if what != {answers.get(image_id)}}


def _mebibytes(pid: int) -> float:
    try:
        return round(psutil.Process(pid).memory_info().rss / 2**20, 1)
    except psutil.NoSuchProcess:
        return 0.0
