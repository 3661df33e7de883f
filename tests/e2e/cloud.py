"""The whole system, started as its user starts it, and what a user can see of it from outside."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")
NOVABURST = Path(sys.executable).with_name("novaburst")


class Cloud:
    """A running `novaburst up`: its address, its output and its process tree."""

    def __init__(self, state: Path, port: int, *options: str, environment: Mapping[str, str] | None = None) -> None:
        self.state = state
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.output: list[str] = []
        self.process = subprocess.Popen(
            [NOVABURST, "up", "--port", str(port), "--state", str(state), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            start_new_session=True,
        )
        self.ever_seen: set[psutil.Process] = set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        threading.Thread(target=self._track, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.output.append(line.rstrip())

    def _track(self) -> None:
        while self.process.poll() is None:
            self.ever_seen |= set(self.tree())
            time.sleep(0.05)

    def tree(self) -> list[psutil.Process]:
        """Every process below `novaburst up` now."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def running(self, *words: str) -> list[psutil.Process]:
        """The processes below it whose command line holds all the words."""
        found = []
        for process in self.tree():
            try:
                command = process.cmdline()
            except psutil.Error:
                continue
            if all(any(word in part for part in command) for word in words):
                found.append(process)
        return found

    def workers(self) -> list[psutil.Process]:
        """The worker processes that run now."""
        return self.running("worker_ami.worker")

    def wait_for_line(self, start: str, seconds: float = 300) -> str:
        """Wait for a line of output that holds `start`."""
        return until(
            lambda: next((line for line in self.output if start in line), None),
            seconds,
            lambda: f"no line {start!r} in:\n" + "\n".join(self.output),
        )

    def stop(self) -> int:
        """Press Ctrl-C; the exit status."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGINT)
        status = self.process.wait(60)
        self._reader.join(10)
        return status


def until(probe: Callable[[], T | None], seconds: float, why: Callable[[], str] = str) -> T:
    """Ask again and again until the answer is true."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {why()}")
        time.sleep(0.05)
    return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def started(state: Path, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[Cloud]:
    """It, with more variables in its environment, until the end of the block."""
    cloud = Cloud(state, free_port(), *options, environment=environment)
    try:
        cloud.wait_for_line("ready:")
        cloud.wait_for_line("Lambda deployed")
        yield cloud
    finally:
        cloud.stop()
        for log in sorted((state / "logs").glob("*.log")):
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
            print(f"--- {log.name}\n{tail}", file=sys.stderr)
