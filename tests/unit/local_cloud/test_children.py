"""The local cloud's parts, started again as systemd would start them."""

import os
from pathlib import Path

import psutil

from local_cloud.children import Child
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


def started(pids: Path, times: int) -> list[psutil.Process] | None:
    """The process and its child of the last start, once there have been so many."""
    lines = pids.read_text().splitlines() if pids.exists() else []
    return [psutil.Process(int(pid)) for pid in lines[-1].split()] if len(lines) == times else None
