from pathlib import Path

import psutil
import pytest

from bench.peers.parts import System, starter
from tests.e2e.cloud import until

# A child that stays in the group, and one that leaves it.
FAMILY = ("sh", "-c", "sleep 300 & setsid sleep 300 & echo started; wait")


def test_a_part_ends_with_all_below_it_even_what_has_left_its_group(tmp_path: Path) -> None:
    with starter(tmp_path) as parts:
        part = parts.start("family", FAMILY, {"PATH": "/usr/bin:/bin"})
        family = until(lambda: part.processes() if len(part.processes()) == 3 else None, 60)
    assert part.ended
    until(lambda: not any(map(psutil.Process.is_running, family)), 60)


def test_a_part_ends_with_what_a_killed_process_of_it_has_left(tmp_path: Path) -> None:
    with starter(tmp_path) as parts:
        part = parts.start("family", FAMILY, {"PATH": "/usr/bin:/bin"})
        first, *orphans = until(lambda: part.processes() if len(part.processes()) == 3 else None, 60)
        first.kill()
        until(lambda: part.ended, 60)
    until(lambda: not any(map(psutil.Process.is_running, orphans)), 60)


def test_a_new_start_leaves_alone_what_stands_in_for_a_service(tmp_path: Path) -> None:
    with starter(tmp_path) as parts:
        for name in ("own", "service"):
            parts.start(name, ("sleep", "300"), {"PATH": "/usr/bin:/bin"})
        before = {name: part.processes() for name, part in parts.parts.items()}
        System("http://127.0.0.1:1/", parts.parts, 0.0, aside=frozenset({"service"})).restart()
        assert parts.parts["service"].processes() == before["service"]
        assert parts.parts["own"].processes() != before["own"]
        assert not parts.parts["own"].ended


def test_what_does_not_listen_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    with starter(tmp_path) as parts:
        parts.start("service", ("sh", "-c", "echo no such option"), {"PATH": "/usr/bin:/bin"})
        with pytest.raises(RuntimeError, match="service does not listen: no such option"):
            parts.wait_for_port("service", 1)
