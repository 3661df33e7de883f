"""What a peer consists of: processes in groups of their own, what they cost, and their end."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psutil

PROJECT = Path(__file__).resolve().parents[2]
_MARK_VARIABLE = "BENCH_PART"
# How long a part has to end by itself before it is killed.
_GRACE_SECONDS = 10.0
# And how long what is killed may take to be gone.
_END_SECONDS = 2.0


class Part:
    """A process and all below it, in a process group of its own; its output goes to a log."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._command = list(command)
        self._mark = uuid4().hex
        self._environment = {**environment, _MARK_VARIABLE: self._mark}
        self._log = log
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as output:
            return subprocess.Popen(
                self._command,
                cwd=PROJECT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def processes(self) -> list[psutil.Process]:
        """The first process and all below it that live now, the first one in front."""
        try:
            first = psutil.Process(self._process.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def last_lines(self, count: int = 8) -> str:
        """The end of its log, to show why it failed."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-count:])

    @property
    def ended(self) -> bool:
        """Whether its first process has ended."""
        return self._process.poll() is not None

    def _marked(self) -> list[psutil.Process]:
        """What has its mark in the environment: also children of a process that was killed."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(_MARK_VARIABLE) == self._mark:
                    found.append(process)
        return found

    def restart(self) -> None:
        """Stop what is left of it and start it again."""
        self.stop()
        self._process = self._start()

    def stop(self) -> None:
        """Ask the first process to end; then kill its group, and what has left the group."""
        below = [*self.processes(), *self._marked()]
        with suppress(ProcessLookupError):
            self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for process in below:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        psutil.wait_procs(below, _END_SECONDS)


@dataclass(frozen=True)
class System:
    """A peer at work: where photos go, its parts by name, and when (`time.perf_counter`) the first of its own began.

    What is `aside` stands in for a service that others run: it is counted apart, and never killed or restarted.
    `kinds` are what may be killed beside the processes that hold the model, each by a word of its command line.
    """

    url: str
    parts: Mapping[str, Part]
    began: float
    aside: frozenset[str] = frozenset()
    kinds: Mapping[str, str] = field(default_factory=dict)

    def victims(self) -> dict[str, list[psutil.Process]]:
        """The processes that may be killed now, by kind: first of all the workers, which hold the model."""
        own = [one for name, found in self.processes().items() if name not in self.aside for one in found]
        return {"worker": _holding_the_model(own)} | {kind: _named(own, word) for kind, word in self.kinds.items()}

    @property
    def ended(self) -> bool:
        """Whether the first process of one of its parts has ended."""
        return any(part.ended for part in self.parts.values())

    def processes(self) -> dict[str, list[psutil.Process]]:
        """The processes that live now, by part."""
        return {name: part.processes() for name, part in self.parts.items()}

    def restart(self) -> None:
        """Start all of its own parts again, as an operator would whose system answers no more."""
        for name, part in self.parts.items():
            if name not in self.aside:
                part.restart()

    def last_lines(self) -> str:
        """The ends of the logs of all parts."""
        return "\n".join(f"{name}: {part.last_lines()}" for name, part in self.parts.items())


class Starter:
    """Starts the parts of one system, with their logs in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.parts: dict[str, Part] = {}

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Part:
        """Start one; it is stopped with all the others."""
        self.parts[name] = Part(command, environment, self._folder / f"{name}.log")
        return self.parts[name]

    def wait_for_port(self, name: str, port: int) -> None:
        """Return when the part listens.

        Raises:
            RuntimeError: it ended, or did not within `_GRACE_SECONDS`; the text holds the end of its log.
        """
        deadline = time.perf_counter() + _GRACE_SECONDS
        while not _listens(port):
            if self.parts[name].ended or time.perf_counter() > deadline:
                raise RuntimeError(f"{name} does not listen: {self.parts[name].last_lines()}")
            time.sleep(0.01)


@contextmanager
def starter(folder: Path) -> Iterator[Starter]:
    """Whoever starts parts in this block has them stopped at its end, the last one first."""
    made = Starter(folder)
    try:
        yield made
    finally:
        for part in reversed(made.parts.values()):
            part.stop()


@contextmanager
def alone(
    name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path, url: str
) -> Iterator[System]:
    """A system of one part, to which photos go at `url`."""
    with starter(folder) as parts:
        began = time.perf_counter()
        parts.start(name, command, environment)
        yield System(url, parts.parts, began)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _holding_the_model(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    found = []
    for process in processes:
        with suppress(OSError):
            if "onnxruntime" in Path(f"/proc/{process.pid}/maps").read_text():
                found.append(process)
    return found


def _named(processes: Sequence[psutil.Process], word: str) -> list[psutil.Process]:
    found = []
    for process in processes:
        with suppress(psutil.Error):
            if any(word in part for part in process.cmdline()):
                found.append(process)
    return found
