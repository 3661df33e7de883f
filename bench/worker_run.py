"""One run of a worker from a full queue: images a second, CPU seconds by process, memory, time to the first result."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import IO

import boto3
import psutil
import requests

from bench.environment import aws_environment
from bench.worker_photos import photos
from local_cloud.preflight import free_port
from novaburst.aws import config
from novaburst.bounds import SQS_BATCH
from novaburst.contract import Request, new_id, utc_now
from novaburst.settings import Settings
from tests.unit.worker_ami.metadata import MetadataService

PROJECT = Path(__file__).resolve().parents[1]
WORKER = (sys.executable, "-m", "worker_ami.worker")
# Images answered before the clock starts: the first few fill the pipeline.
_WARM = 40
_SETTINGS = Settings(prefix="novaburst")


@dataclass(frozen=True)
class Seen:
    """What one run showed. Milliseconds of CPU are per image; memory is the most the worker had, in MiB."""

    images_per_second: float
    worker_ms: float
    aws_ms: float
    peak_mib: float
    first_result_seconds: float


@dataclass(frozen=True)
class Cores:
    """Where the worker and the stand-in for AWS run."""

    worker: tuple[int, ...] = (1,)
    aws: tuple[int, ...] = (0,)


@contextmanager
def light_aws(cores: Cores, latency_ms: float = 30) -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """The light stand-in: its process, and the environment of whoever shall reach it."""
    port = free_port()
    command = [sys.executable, "-m", "bench.worker_aws", str(port), str(latency_ms)]
    with subprocess.Popen(_pinned(command, cores.aws), cwd=PROJECT) as process:
        try:
            endpoint = f"http://127.0.0.1:{port}"
            yield psutil.Process(process.pid), aws_environment(endpoint, AWS_EC2_METADATA_SERVICE_ENDPOINT=endpoint)
        finally:
            process.terminate()


@contextmanager
def embedded_aws(cores: Cores) -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """The embedded AWS, which is moto, without added latency."""
    port = free_port()
    with TemporaryDirectory() as state, MetadataService() as metadata:
        Thread(target=metadata.serve_forever, daemon=True).start()
        command = [sys.executable, "-m", "local_cloud.server", "--port", str(port), "--state", state, "--model", state]
        with subprocess.Popen(_pinned(command, cores.aws), cwd=PROJECT, stderr=subprocess.DEVNULL) as process:
            try:
                endpoint = f"http://127.0.0.1:{port}"
                yield psutil.Process(process.pid), aws_environment(endpoint, **metadata.environment)
            finally:
                process.terminate()
                metadata.shutdown()


def fill(environment: Mapping[str, str], kind: str, messages: int) -> None:
    """Store the photos of a kind and queue so many requests for them."""
    session = boto3.Session("bench", "bench", region_name="us-east-1")
    endpoint = environment["AWS_ENDPOINT_URL"]
    _until_it_answers(endpoint)
    s3, sqs = (session.client(name, endpoint_url=endpoint, config=config()) for name in ("s3", "sqs"))  # type: ignore[call-overload]
    for bucket in (_SETTINGS.in_bucket, _SETTINGS.out_bucket):
        s3.create_bucket(Bucket=bucket)
    for queue in (_SETTINGS.request_queue, _SETTINGS.response_queue):
        sqs.create_queue(QueueName=queue, Attributes={"VisibilityTimeout": "60"})
    content = photos(kind)
    for number, data in enumerate(content):
        s3.put_object(Bucket=_SETTINGS.in_bucket, Key=f"photo-{number}", Body=data)
    url = sqs.get_queue_url(QueueName=_SETTINGS.request_queue)["QueueUrl"]
    keys = list(islice(cycle(range(len(content))), messages))

    def send(start: int) -> None:
        entries = [
            {"Id": str(n), "MessageBody": _request(f"photo-{key}")}
            for n, key in enumerate(keys[start : start + SQS_BATCH])
        ]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)

    with ThreadPoolExecutor(10) as threads:
        list(threads.map(send, range(0, messages, SQS_BATCH)))


def run(
    command: Sequence[str], aws: psutil.Process, environment: Mapping[str, str], cores: Cores, seconds: float
) -> Seen:
    """Start a worker and watch it for `seconds` once it is warm, or until the queue is empty."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "worker.log"
        with path.open("wb") as log:
            began = time.time()
            process = subprocess.Popen(
                _pinned(command, cores.worker), cwd=PROJECT, env=dict(environment), stderr=log, stdout=log
            )
        try:
            with path.open("r") as lines:
                return _watch(process, aws, lines, began, seconds)
        finally:
            process.terminate()
            process.wait(30)


def _watch(
    process: "subprocess.Popen[bytes]", aws: psutil.Process, lines: IO[str], began: float, seconds: float
) -> Seen:
    worker = psutil.Process(process.pid)
    answers = _Answers(lines)
    while answers.count < _WARM:
        _still_running(process, answers)
        time.sleep(0.02)
        answers.read()
    start, count, worker_before, aws_before = time.perf_counter(), answers.count, _cpu(worker), _cpu(aws)
    while time.perf_counter() < start + seconds:
        _still_running(process, answers)
        time.sleep(0.05)
        answers.read()
    took, done = time.perf_counter() - start, answers.count - count
    return Seen(
        images_per_second=done / took,
        worker_ms=1000 * (_cpu(worker) - worker_before) / done,
        aws_ms=1000 * (_cpu(aws) - aws_before) / done,
        peak_mib=peak_mib(process.pid),
        first_result_seconds=answers.first - began,
    )


class _Answers:
    """What a worker's log says of its answers, read on as it grows."""

    def __init__(self, lines: IO[str]) -> None:
        self._lines = lines
        self._rest = ""
        self.count = 0
        self.first = 0.0
        self.last_line = ""

    def read(self) -> None:
        """Read on."""
        *whole, self._rest = (self._rest + self._lines.read()).split("\n")
        for line in whole:
            self.last_line = line
            if '"answered"' not in line:
                continue
            self.count += 1
            entry = json.loads(line)
            if entry.get("error"):
                raise RuntimeError(f"an image got an error: {line}")
            if not self.first:
                self.first = entry.get("at") or datetime.fromisoformat(entry["time"]).timestamp()


def peak_mib(pid: int) -> float:
    """The most memory that a process has had resident, in MiB (proc(5), VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _still_running(process: "subprocess.Popen[bytes]", answers: _Answers) -> None:
    if process.poll() is not None:
        raise RuntimeError(f"the worker ended with status {process.returncode}: {answers.last_line}")


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _pinned(command: Sequence[str], cores: tuple[int, ...]) -> list[str]:
    return ["taskset", "-c", ",".join(map(str, cores)), *command]


def _request(key: str) -> str:
    one = Request(id=new_id(), batch="bench", bucket=_SETTINGS.in_bucket, key=key, name="photo.jpg", sent=utc_now())
    return one.to_message()


def _until_it_answers(endpoint: str) -> None:
    for _ in range(600):
        try:
            requests.get(endpoint, timeout=5)
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"nothing answers at {endpoint}")
