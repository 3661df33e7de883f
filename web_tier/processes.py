"""Marks of processes, by which others on the same machine can tell that one is gone."""

import os
from pathlib import Path

_PROC = Path("/proc")
# proc(5), /proc/PID/stat: state and starttime, counted from behind the name, which may hold anything.
_STATE, _START = 0, 19
_DEAD = {"Z", "X"}


def mark() -> str:
    """This process's, which no later one has: its number and, where the system tells it, when it started."""
    fields = _stat(os.getpid())
    return f"{os.getpid()}-{fields[_START] if fields else ''}"


def is_gone(marked: str) -> bool:
    """Whether that process has ended. False where it cannot be known."""
    number, _, start = marked.partition("-")
    if not (number.isdigit() and start.isdigit() and (_PROC / "self").exists()):
        return False
    fields = _stat(int(number))
    return fields is None or fields[_START] != start or fields[_STATE] in _DEAD


def _stat(number: int) -> list[str] | None:
    try:
        return (_PROC / str(number) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
