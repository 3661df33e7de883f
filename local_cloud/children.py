"""The long-running parts of the local cloud, each with its log file: started, watched, ended in order."""

import logging
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from local_cloud.processes import Spawner, kill, terminate

log = logging.getLogger(__name__)


class Child:
    """One long-running process; it is killed when this one ends, however it ends."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log_file: Path, spawner: Spawner
    ) -> None:
        self.name = name
        self._command = list(command)
        self._environment = dict(environment)
        self._log_file = log_file
        self._spawner = spawner
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again; output is appended to the log file.

        What a killed one has left in its process group is killed first, as systemd does: gunicorn's workers would keep
        the port for as long as their clients wait.
        """
        if self._process is not None:
            kill(self._process)
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        with self._log_file.open("ab") as output:
            self._process = self._spawner.spawn(
                self._command, environment=self._environment, folder=Path.cwd(), output=output
            )

    @property
    def exit_status(self) -> int | None:
        """The exit status, or None while it runs."""
        return None if self._process is None else self._process.poll()

    def last_lines(self, count: int = 5) -> str:
        """The end of its log, to show why it failed."""
        try:
            return "\n".join(self._log_file.read_text(errors="replace").splitlines()[-count:])
        except FileNotFoundError:
            return ""

    def stop(self, grace_seconds: float) -> None:
        """SIGTERM, then after the grace SIGKILL for it and whatever is left of its process group."""
        stop_together([self], grace_seconds)

    def _ask_to_end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            terminate(self._process)

    def _end(self, deadline: float) -> None:
        """Wait until it has ended or it is that moment (of the monotonic clock), and end whatever is left."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("%s did not end within its grace: killed", self.name)
        kill(self._process)


def stop_together(children: Sequence[Child], grace_seconds: float) -> None:
    """Stop each as `Child.stop` does, all within the time of the slowest; none of them may need another."""
    deadline = time.monotonic() + grace_seconds
    for child in children:
        child._ask_to_end()
    for child in children:
        child._end(deadline)


def wait_until_exit_or(child: Child, ready: Callable[[], bool], timeout_seconds: float) -> None:
    """Wait until `ready` holds.

    Raises:
        RuntimeError: the child ended first, or the time ran out; the text holds the end of its log.
    """
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        if child.exit_status is not None:
            raise RuntimeError(f"{child.name} ended with status {child.exit_status}:\n{child.last_lines()}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"{child.name} was not ready within {timeout_seconds:.0f} s:\n{child.last_lines()}")
        time.sleep(0.05)
