"""systemd hears that the worker lives."""

import socket
from pathlib import Path
from threading import Event, Thread

import pytest

from worker_ami.worker.watchdog import watch


@pytest.mark.parametrize("abstract", [False, True])
def test_signs_of_life_are_given_thrice_in_the_time_that_the_unit_allows(tmp_path: Path, abstract: bool) -> None:
    name = f"@novaburst-{tmp_path.name}-{id(tmp_path)}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(name.replace("@", "\0"))
        systemd.settimeout(10)
        ended = Event()
        thread = Thread(target=watch, args=(ended, {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "60000"}))
        thread.start()
        assert [systemd.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        ended.set()
        thread.join(10)
        assert not thread.is_alive()


def test_without_a_unit_that_asks_for_them_none_are_given() -> None:
    watch(Event(), {})
    watch(Event(), {"NOTIFY_SOCKET": "/nonexistent"})


def test_a_systemd_that_does_not_listen_ends_nothing() -> None:
    ended = Event()
    ended.set()
    watch(ended, {"NOTIFY_SOCKET": "/nonexistent", "WATCHDOG_USEC": "60000"})
