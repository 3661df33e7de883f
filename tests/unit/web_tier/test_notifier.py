import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from novaburst.contract import Result
from web_tier.images import Image, State
from web_tier.notifier import Notifier
from web_tier.store import Changes, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store.sqlite3")
    store.add_batch("batch", 1.0)
    yield store
    store.close()


@pytest.fixture
def notifier(store: Store) -> Iterator[Notifier]:
    notifier = Notifier(store)
    yield notifier
    notifier.close()


def pending(store: Store, *ids: str) -> None:
    for image_id in ids:
        store.add_image(Image(image_id, "batch", "cat.jpg", 1, State.QUEUED, 1.0))


def answer(store: Store, *ids: str) -> None:
    store.record([Result(id=i, batch="batch", name="cat.jpg", label="cat", score=1, worker="i-1") for i in ids], 2.0)


def test_an_answered_image_ends_the_wait_at_once(store: Store, notifier: Notifier) -> None:
    pending(store, "a")
    answer(store, "a")
    with notifier.watching(["a"]) as waiter:
        assert waiter.wait(5)


def test_a_wait_ends_with_its_time(store: Store, notifier: Notifier) -> None:
    pending(store, "a")
    with notifier.watching(["a"]) as waiter:
        assert not waiter.wait(0.1)


def test_a_wait_for_nothing_is_over(notifier: Notifier) -> None:
    with notifier.watching([]) as waiter:
        assert waiter.wait(0)


def test_a_wait_for_several_ends_with_the_last(store: Store, notifier: Notifier) -> None:
    pending(store, "a", "b")
    with notifier.watching(["a", "b"]) as waiter:
        answer(store, "b")
        assert not waiter.wait(0.15)
        answer(store, "a")
        assert waiter.wait(5)


def test_an_answer_wakes_its_waiter_within_a_tenth_of_a_second(store: Store, notifier: Notifier) -> None:
    ids = [f"i{number}" for number in range(20)]
    pending(store, *ids)
    delays: list[float] = []
    for image_id in ids:
        with notifier.watching([image_id]) as waiter:
            time.sleep(0.01)
            answered_at = time.monotonic()
            answer(store, image_id)
            assert waiter.wait(5)
            delays.append(time.monotonic() - answered_at)
    assert sorted(delays)[len(delays) // 2] < 0.1


def test_a_hundred_requests_wait_at_once(store: Store, notifier: Notifier) -> None:
    ids = [f"i{number}" for number in range(100)]
    pending(store, *ids)
    woken: list[bool] = []

    def wait(image_id: str) -> None:
        with notifier.watching([image_id]) as waiter:
            woken.append(waiter.wait(20))

    threads = [threading.Thread(target=wait, args=(image_id,)) for image_id in ids]
    for thread in threads:
        thread.start()
    for start in range(0, 100, 10):
        answer(store, *ids[start : start + 10])
    for thread in threads:
        thread.join(20)
    assert woken == [True] * 100


@pytest.mark.parametrize(
    "error", [sqlite3.OperationalError("unable to open database file"), ValueError("no such thing")]
)
@pytest.mark.parametrize("place", ["__init__", "happened", "answered"])
def test_a_store_that_could_not_be_watched_is_watched_again_and_no_later_wait_is_in_vain(
    store: Store, notifier: Notifier, monkeypatch: pytest.MonkeyPatch, place: str, error: Exception
) -> None:
    monkeypatch.setattr("web_tier.notifier._BACK_OFF_SECONDS", 0.01)
    pending(store, "a")
    failed = threading.Event()

    def fail(*_: object) -> None:
        failed.set()
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Changes, place, fail)
        with notifier.watching(["a"]):
            assert failed.wait(10)
    answer(store, "a")
    with notifier.watching(["a"]) as waiter:
        assert waiter.wait(10)


def test_a_notifier_that_could_start_no_thread_fails_that_wait_alone(
    store: Store, notifier: Notifier, threadless: Callable[..., AbstractContextManager[None]]
) -> None:
    pending(store, "a")
    with threadless(), pytest.raises(RuntimeError), notifier.watching(["a"]):
        pass
    answer(store, "a")
    with notifier.watching(["a"]) as waiter:
        assert waiter.wait(5)


def test_a_notifier_ends_though_the_store_cannot_be_opened(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(Changes, "__init__", fail)
    notifier = Notifier(store)
    with notifier.watching(["a"]) as waiter:
        assert not waiter.wait(0.1)
    notifier.close()
