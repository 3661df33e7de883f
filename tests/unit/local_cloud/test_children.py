"""The local cloud's parts, started again as systemd would start them."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from local_cloud.children import Child, stop_together
from local_cloud.processes import Spawner
from tests.e2e.cloud import until


def test_a_new_start_ends_what_a_killed_part_has_left_behind(tmp_path: Path) -> None:
    spawner, pids = Spawner(), tmp_path / "pids"
    command = ("sh", "-c", f"sleep 300 & echo $$ $! >>{pids}; wait")
    child = Child("part", command, os.environ, tmp_path / "log", spawner)
    try:
        child.start()
        first, left = until(lambda: started(pids, 1), 60)
        first.kill()
        until(lambda: child.exit_status is not None, 60)
        assert left.is_running()
        child.start()
        until(lambda: started(pids, 2), 60)
        until(lambda: not left.is_running() or left.status() == psutil.STATUS_ZOMBIE, 60)
    finally:
        child.stop(0)
        spawner.stop()


@contextmanager
def five_parts(on_term: str, folder: Path) -> Iterator[list[Child]]:
    """Five that are up, and do that when they are asked to end."""
    spawner = Spawner()
    command = ("sh", "-c", f"trap '{on_term}' TERM; echo up; while :; do sleep 0.05; done")
    children = [Child(f"part {n}", command, os.environ, folder / f"log{n}", spawner) for n in range(5)]
    try:
        for child in children:
            child.start()
        until(lambda: all(child.last_lines() == "up" for child in children), 60)
        yield children
    finally:
        spawner.stop()


def test_parts_that_are_stopped_together_take_the_time_of_the_slowest(tmp_path: Path) -> None:
    with five_parts("sleep 2; echo ended; exit 0", tmp_path) as children:
        began = time.monotonic()
        stop_together(children, 60)
        assert time.monotonic() - began < 6
        assert [child.last_lines() for child in children] == ["up\nended"] * 5
        assert [child.exit_status for child in children] == [0] * 5


def test_of_parts_that_are_stopped_together_one_that_does_not_end_is_killed_after_the_grace_of_all(
    tmp_path: Path,
) -> None:
    with five_parts("", tmp_path) as children:
        began = time.monotonic()
        stop_together(children, 2)
        assert 2 <= time.monotonic() - began < 6
        assert [child.exit_status for child in children] == [-signal.SIGKILL] * 5


def started(pids: Path, times: int) -> list[psutil.Process] | None:
    """The process and its child of the last start, once there have been so many."""
    lines = pids.read_text().splitlines() if pids.exists() else []
    return [psutil.Process(int(pid)) for pid in lines[-1].split()] if len(lines) == times else None
