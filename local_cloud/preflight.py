"""What must hold before anything is started; each refusal is one line that names the remedy."""

import fcntl
import os
import socket
from pathlib import Path
from typing import IO

import psutil

# Measured: the embedded AWS 160 MB, web tier and listener 150 MB, the Lambda 90 MB; a worker with its model 150 MB.
BASE_MEGABYTES = 400
WORKER_MEGABYTES = 150


class PreflightError(Exception):
    """Something on this machine keeps the local cloud from starting."""


def claim_state(state: Path) -> IO[str]:
    """Take the state folder for this process; the returned lock file must stay open as long as it is used.

    Raises:
        PreflightError: another process has it, or it cannot be written.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
        lock = (state / "lock").open("a+")
    except OSError as error:
        raise PreflightError(f"state folder {state}: {error.strerror}; choose another with --state") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        owner = lock.read().strip() or "unknown"
        lock.close()
        raise PreflightError(
            f"state folder {state} is in use by process {owner}; stop it, or choose another with --state"
        ) from None
    lock.seek(0)
    lock.truncate()
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def require_free_port(port: int) -> None:
    """Check that nothing listens on that loopback port.

    Raises:
        PreflightError: the port is taken or may not be bound.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PreflightError(f"port {port}: {error.strerror}; choose another with --port") from error


def require_memory(workers: int, available_bytes: int | None = None) -> None:
    """Check that the tiers and that many workers fit into the memory that is free now.

    Raises:
        PreflightError: they do not.
    """
    available = psutil.virtual_memory().available if available_bytes is None else available_bytes
    needed = BASE_MEGABYTES + workers * WORKER_MEGABYTES
    if available < needed * 1_000_000:
        raise PreflightError(
            f"memory: {workers} workers need about {needed} MB and {available // 1_000_000} MB are free; "
            "close something, or choose fewer with --max-workers"
        )


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
