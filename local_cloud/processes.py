"""Child processes of the embedded AWS: none outlives it, however it ends, and each may have a core of its own."""

import concurrent.futures
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_LAUNCHER = Path(__file__).with_name("launcher.py")


class Spawner:
    """Starts processes from one thread that lives as long as the server.

    Linux ties the death signal of prctl(2) to the thread that forked, so a request's own thread must never fork.
    """

    def __init__(self) -> None:
        self._thread = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")

    def spawn(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        output: IO[bytes],
        core: int | None = None,
        descriptors: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start `command` in a process group of its own, in `folder`, with stdout and stderr into `output`.

        It is killed when this process ends. `core` pins it to one CPU; `descriptors` stay open in it.
        """
        launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), "-" if core is None else str(core)]
        return self._thread.submit(
            subprocess.Popen,
            [*launcher, *command],
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=tuple(descriptors),
        ).result()

    def stop(self) -> None:
        """End the thread, and with it, by the death signal, every process that is still running."""
        self._thread.shutdown()


def terminate(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end (SIGTERM)."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and whatever is left of its group (SIGKILL), and reap it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
