"""One run: the whole system on a bad day, a crowd that uploads to it, and the account afterwards."""

import random
import shlex
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import requests

from novaburst.contract import Result, result_key
from novaburst.error_codes import ErrorCode
from novaburst.objects import Bucket
from novaburst.queues import Queue
from novaburst.settings import Settings
from tests.e2e.cloud import Cloud, started, until
from tests.faults.account import Account, contradicts
from tests.faults.crowd import CLIENTS, File, Taken, follow, upload
from tests.faults.killer import Killer
from tests.faults.plan import Harm, harm
from tests.faults.proxy import CHECKER
from tests.soak.content import uploads

MAX_WORKERS = 3
_IDLE_SECONDS = 8
# What the web tier itself refuses is neither stored nor queued.
_REFUSED = {ErrorCode.EMPTY_FILE, ErrorCode.TOO_LARGE}
_PATIENCE_SECONDS = 900.0
_SETTLING_SECONDS = 300.0
_LOOK_SECONDS = 0.3
# A request, and the images of its batch as its client saw them at last.
Answered = tuple[Taken, list[dict[str, Any]]]


@dataclass
class Report:
    """What happened in one run: `wrong` is empty when nothing was lost."""

    seed: int
    images: int = 0
    tries: int = 0
    seconds: float = 0
    faults: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    # What clients got before their requests were taken.
    refusals: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def run(seed: int, images: int, kills: int, folder: Path) -> Report:
    """Send about so many images through a system with faults, do it harm so many times, and look at it all."""
    dice = random.Random(seed)
    files = mixed_files(images, dice)
    began, report = time.monotonic(), Report(seed, images=len(files))
    command = [sys.executable, "-m", "tests.faults.proxy", "--seed", str(seed)]
    with system(folder, command) as (cloud, proxy):
        killer, fleet = Killer(cloud), Fleet(proxy)
        requests.post(f"{proxy}/faults/on", timeout=10)
        with ThreadPoolExecutor(1) as thread:
            sent = thread.submit(send_and_follow, cloud.url, files, _PATIENCE_SECONDS)
            _kill_along(sent.done, killer, [harm(seed, nth) for nth in range(kills)], dice)
            answered = sent.result()
        killer.end()
        report.faults.update(requests.post(f"{proxy}/faults/off", timeout=10).json())
        report.hits, report.tries = killer.hits, sum(taken.tries for taken, _ in answered)
        report.refusals.update(f"{refusal} to a client" for taken, _ in answered for refusal in taken.refusals)
        report.wrong = judge(proxy, answered, fleet)
    report.seconds = time.monotonic() - began
    return report


def mixed_files(images: int, dice: random.Random) -> list[File]:
    """About so many files, photos and others, in a random order, and what each must be answered with."""
    mixed = [(content, answer) for content, answer in uploads(images, 0, 0, dice) if content is not None]
    return [File(f"{n:05}.bin", content, answer) for n, (content, answer) in enumerate(mixed)]


@contextmanager
def system(
    folder: Path, aws: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[tuple[Cloud, str]]:
    """The whole system with this command as its AWS, and that AWS's address."""
    fleet = ("--boot-seconds", "1", "--idle-seconds", str(_IDLE_SECONDS), "--max-workers", str(MAX_WORKERS))
    with started(folder, *fleet, "--aws-command", shlex.join(aws), environment=environment) as cloud:
        yield cloud, cloud.wait_for_line("embedded AWS").split()[-1]


def send_and_follow(url: str, files: Sequence[File], patience: float) -> list[Answered]:
    """Upload all, then wait for the answers of each request, at most `patience` seconds for each step."""
    taken = upload(url, files, patience)
    with ThreadPoolExecutor(CLIENTS) as clients:
        return list(clients.map(lambda one: (one, follow(one, patience)), taken))


def _kill_along(done: Callable[[], bool], killer: Killer, harms: Sequence[Harm], dice: random.Random) -> None:
    for nth, planned in enumerate(harms):
        # The first comes before the first worker can: a few images are answered soon after that.
        deadline = time.monotonic() + (dice.uniform(2, 8) if nth else dice.uniform(0, 1))
        while time.monotonic() < deadline:
            if done():
                return
            time.sleep(_LOOK_SECONDS)
        killer.hit(planned)


class Fleet:
    """Looks at the instances all the time, past the faults."""

    def __init__(self, aws: str) -> None:
        self._ec2 = _session().client("ec2", endpoint_url=aws)
        self.most = 0
        threading.Thread(target=self._look, daemon=True).start()

    def now(self) -> int:
        """Instances that cost."""
        states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
        pages = self._ec2.get_paginator("describe_instances").paginate(Filters=states)
        return sum(len(reservation["Instances"]) for page in pages for reservation in page["Reservations"])

    def _look(self) -> None:
        while True:
            try:
                self.most = max(self.most, self.now())
            # The system has ended.
            except Exception:
                return
            time.sleep(_LOOK_SECONDS)


def judge(aws: str, answered: Sequence[Answered], fleet: Fleet) -> list[str]:
    """What is wrong, in words, once the system is at rest."""
    account, settings = Account(), Settings(prefix="novaburst")
    s3, sqs = (_session().client(name, endpoint_url=aws) for name in ("s3", "sqs"))  # type: ignore[call-overload]
    for taken, images in answered:
        account.answers(taken, images)
    names = (settings.request_queue, settings.response_queue, settings.dead_letter_queue)
    queues = [Queue(sqs, name) for name in names]

    def settled() -> bool:
        return not fleet.now() and not any(queue.depth().backlog for queue in queues)

    try:
        until(settled, _SETTLING_SECONDS)
    except AssertionError:
        account.faults.append(f"not at rest after {_SETTLING_SECONDS:.0f} s")
    for name, queue in zip(names, queues, strict=True):
        account.queue(name, queue.depth())
    account.instances(fleet.most, MAX_WORKERS, fleet.now())
    of_workers = [i for _, images in answered for i in images if not (i["error"] and i["error"]["code"] in _REFUSED)]
    in_bucket, out_bucket = Bucket(s3, settings.in_bucket), Bucket(s3, settings.out_bucket)
    account.objects("in-bucket", in_bucket, {image["id"] for image in of_workers})
    there = account.objects("out-bucket", out_bucket, {result_key(image["id"]) for image in of_workers})
    for image in of_workers:
        if result_key(image["id"]) not in there:
            continue
        stored = Result.parse(out_bucket.get(result_key(image["id"])))
        if contradicts(stored, image):
            account.faults.append(f"{image['id']}: the bucket says {stored}, the web tier {image}")
    return account.faults


def _session() -> boto3.Session:
    return boto3.Session(CHECKER, CHECKER, region_name="us-east-1")
