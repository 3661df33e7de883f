import logging
import subprocess
import sys
import threading
from sqlite3 import OperationalError

import pytest

from web_tier.chores import start_chore


class Counted(threading.Event):
    """An event that stops a chore after so many turns, and waits for nothing."""

    def __init__(self, turns: int) -> None:
        super().__init__()
        self._turns = turns
        self.pauses: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout)
        return len(self.pauses) > self._turns


def pauses(period: float, *outcomes: Exception | None) -> list[float | None]:
    """How long a chore waits before each of its turns, which end so."""
    stop, left = Counted(len(outcomes)), list(outcomes)

    def work() -> None:
        if (outcome := left.pop(0)) is not None:
            raise outcome

    start_chore("work", work, period, stop).join(10)
    return stop.pauses


@pytest.mark.parametrize(
    "error", [ValueError("no such thing"), KeyError("key"), RuntimeError("can't start new thread"), MemoryError()]
)
def test_a_chore_outlives_what_nobody_foresaw_and_says_where_it_happened(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(pauses(0.5, error, None)) == 3
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert record.exc_info[1] is error


def test_unforeseen_failures_are_met_with_ever_longer_pauses_until_one_turn_succeeds() -> None:
    fault = ValueError()
    assert pauses(1, fault, fault, fault, None, fault) == [1, 2, 4, 8, 1, 2]
    assert pauses(20, fault, fault, fault) == [20, 40, 60, 60]
    assert pauses(90, fault, fault) == [90, 90, 90]


def test_a_store_that_is_busy_is_tried_again_as_soon_as_ever() -> None:
    assert pauses(1, OperationalError("locked"), OperationalError("locked")) == [1, 1, 1]


def test_a_chore_keeps_no_process_alive_whose_main_thread_has_failed() -> None:
    program = (
        "import threading\nfrom web_tier.chores import start_chore\n"
        "start_chore('work', lambda: None, 0.1, threading.Event())\nraise SystemExit(3)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 3
