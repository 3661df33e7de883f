import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import NoReturn
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.web_tier.conftest import Clock
from web_tier.attempts import Attempts, derived_id
from web_tier.database import Database
from web_tier.problems import Problem
from web_tier.processes import is_gone, mark

times = st.floats(1.7e9, 4e9)


@pytest.fixture
def attempts(database: Database, clock: Clock) -> Iterator[Attempts]:
    with closing(Attempts(database, clock=clock)) as attempts:
        yield attempts


@pytest.fixture
def other(database: Database, clock: Clock) -> Iterator[Attempts]:
    """Another process's."""
    with closing(Attempts(database, clock=clock)) as attempts:
        yield attempts


@given(times, st.integers(0, 5000), st.text(max_size=20))
def test_a_derived_id_is_a_uuid_of_version_7_and_always_the_same(created: float, place: int, key: str) -> None:
    identity = derived_id(created, place, key)
    assert identity == derived_id(created, place, key)
    assert UUID(identity).version == 7
    assert re.fullmatch(r"[0-9a-f-]{36}", identity)


@given(times, st.integers(0, 10**6 - 2), st.text(max_size=20))
def test_derived_ids_sort_by_place_and_then_differ_by_key(created: float, place: int, key: str) -> None:
    assert derived_id(created, place, key) < derived_id(created, place + 1, key)
    assert derived_id(created, place, key) != derived_id(created, place, f"{key}'")


def test_a_repetition_has_the_batch_and_the_identities_of_the_first_attempt(attempts: Attempts) -> None:
    with attempts.attempt("k") as first:
        pass
    with attempts.attempt("k") as second:
        assert (second.batch, second.identity(3)) == (first.batch, first.identity(3))
    with attempts.attempt("another") as third:
        assert third.batch != first.batch


def test_an_attempt_that_could_start_no_thread_leaves_its_key_to_the_next(
    attempts: Attempts, threadless: Callable[..., AbstractContextManager[None]]
) -> None:
    with threadless(), pytest.raises(RuntimeError), attempts.attempt("k"):
        pass
    with attempts.attempt("k") as attempt:
        assert attempt.images is None


def test_two_attempts_at_once_are_a_409_in_one_process_and_in_two(attempts: Attempts, other: Attempts) -> None:
    with attempts.attempt("k"):
        for someone in (attempts, other):
            with pytest.raises(Problem) as refused, someone.attempt("k"):
                pass
            assert refused.value.status == 409
            assert refused.value.headers["Retry-After"]
    with other.attempt("k"):
        pass


def test_the_attempt_of_a_process_that_died_is_taken_over_once_its_lease_is_over(
    attempts: Attempts, other: Attempts, clock: Clock
) -> None:
    with attempts.attempt("k") as dead:
        clock.now += 21
        with other.attempt("k") as heir:
            assert heir.identity(0) == dead.identity(0)


DIES_IN_AN_ATTEMPT = """
import os, signal, sys
from pathlib import Path
from web_tier.attempts import Attempts
from web_tier.database import Database
with Attempts(Database(Path(sys.argv[1])), clock=lambda: float(sys.argv[2])).attempt("k") as attempt:
    print(attempt.batch, flush=True)
    if sys.argv[3] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()
"""


def in_another_process(database: Path, clock: Clock, how: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", DIES_IN_AN_ATTEMPT, str(database), str(clock.now), how]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_the_attempt_of_a_process_that_was_killed_is_taken_over_at_once(
    attempts: Attempts, clock: Clock, tmp_path: Path
) -> None:
    with in_another_process(tmp_path / "store.sqlite3", clock, "die") as killed:
        assert killed.stdout is not None
        batch = killed.stdout.read().strip()
        # Its output closes before it is dead. Not reaped yet, it is a zombie.
        os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)
        with attempts.attempt("k") as heir:
            assert heir.batch == batch


def test_the_attempt_of_a_process_that_lives_is_its_own(attempts: Attempts, clock: Clock, tmp_path: Path) -> None:
    with in_another_process(tmp_path / "store.sqlite3", clock, "stay") as other:
        assert other.stdout is not None
        assert other.stdout.readline()
        with pytest.raises(Problem) as refused, attempts.attempt("k"):
            pass
        assert refused.value.status == 409
        other.communicate()
    with attempts.attempt("k"):
        pass


@pytest.mark.parametrize("owner", ["", "1", "1-", "x-1", "12345678-0000-4000-8000-000000000000"])
def test_an_owner_of_whom_nothing_is_known_is_not_taken_for_gone(owner: str) -> None:
    assert not is_gone(owner)


def test_a_process_knows_itself_and_a_number_that_was_given_anew_is_another_process() -> None:
    assert not is_gone(mark())
    assert is_gone(f"{mark()}0")
    assert is_gone(f"{2**22 + 1}-5")


def test_a_long_upload_keeps_its_lease(database: Database, other: Attempts, clock: Clock) -> None:
    def alive() -> float:
        with database.reading() as db:
            return float(db.execute("SELECT alive FROM attempts").fetchone()[0])

    with closing(Attempts(database, clock=clock, lease_seconds=0.4)) as busy, busy.attempt("k"):
        for _ in range(3):
            clock.now += 0.3
            while alive() < clock.now + 0.4:
                time.sleep(0.01)
        with pytest.raises(Problem), other.attempt("k"):
            pass


@pytest.mark.parametrize("error", [sqlite3.OperationalError("database or disk is full"), ValueError("no such thing")])
def test_a_lease_is_kept_again_once_the_disk_that_was_full_has_room_or_whatever_else_failed_does_not(
    database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    writing, tried = database.writing, threading.Event()

    def full() -> NoReturn:
        tried.set()
        raise error

    def alive() -> float:
        with database.reading() as db:
            return float(db.execute("SELECT alive FROM attempts").fetchone()[0])

    with closing(Attempts(database, clock=clock, lease_seconds=0.4)) as busy, busy.attempt("k"):
        with monkeypatch.context() as disk:
            disk.setattr(database, "writing", full)
            assert tried.wait(30)
        assert database.writing == writing
        clock.now += 5
        deadline = time.monotonic() + 30
        while alive() < clock.now and time.monotonic() < deadline:
            time.sleep(0.01)
        assert alive() > clock.now


def test_a_finished_request_remembers_its_images_and_its_content(attempts: Attempts) -> None:
    with attempts.attempt("k") as first:
        first.see("content")
        first.finish(["a", "b"])
    with attempts.attempt("k") as same:
        same.see("content")
        same.compare()
        assert same.images == ["a", "b"]
    with attempts.attempt("k") as different:
        different.see("other content")
        with pytest.raises(Problem) as refused:
            different.compare()
    assert refused.value.status == 422


def test_a_key_is_forgotten_after_a_day(attempts: Attempts, clock: Clock) -> None:
    with attempts.attempt("k") as first:
        first.finish(["a"])
    clock.now += 86_401
    with attempts.attempt("k") as second:
        assert (second.images, second.batch == first.batch) == (None, False)


def test_no_key_is_forgotten_by_a_clock_that_may_be_wrong(database: Database, clock: Clock) -> None:
    right = [True, False, False]
    with closing(Attempts(database, clock=clock, surely_right=lambda: right.pop(0))) as attempts:
        with attempts.attempt("k") as first:
            first.finish(["a"])
        clock.now += 86_401
        with attempts.attempt("other"):
            pass
        clock.now -= 86_401
        with attempts.attempt("k") as second:
            assert (second.images, second.batch == first.batch) == (["a"], True)
