import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import cast

from novaburst.queues import Queue
from tests.unit.web_tier.sent import Sent
from web_tier.waker import WAKE_MESSAGE, Waker


def test_a_burst_of_uploads_sends_a_handful_of_wake_ups() -> None:
    sent = Sent()
    waker = Waker(lambda: cast(Queue, sent), period_seconds=0.2)
    for _ in range(1000):
        waker.wake()
    waker.close()
    assert 1 <= len(sent.messages) <= 3
    assert set(sent.messages) == {WAKE_MESSAGE}


def test_what_is_asked_for_within_a_period_is_sent_before_the_waker_ends_and_nothing_that_nobody_asked_for() -> None:
    sent = Sent()
    waker = Waker(lambda: cast(Queue, sent), period_seconds=60)
    waker.wake()
    while not sent.messages:
        time.sleep(0.001)
    waker.wake()
    waker.close()
    assert len(sent.messages) == 2
    quiet = Waker(lambda: cast(Queue, sent), period_seconds=0.001)
    quiet.wake()
    while len(sent.messages) < 3:
        time.sleep(0.001)
    quiet.close()
    assert len(sent.messages) == 3


def test_a_wake_up_that_fails_as_nobody_foresaw_is_not_the_last() -> None:
    class Broken(Sent):
        def send(self, bodies: list[str]) -> list[int]:
            if not tried.is_set():
                tried.set()
                raise ValueError("no such thing")
            told.set()
            return []

    tried, told, sent = threading.Event(), threading.Event(), Broken()
    waker = Waker(lambda: cast(Queue, sent), period_seconds=0.01)
    waker.wake()
    assert tried.wait(10)
    waker.wake()
    assert told.wait(10)
    waker.close()


def test_a_waker_that_could_start_no_thread_says_so_to_nobody_who_asks_and_wakes_later(
    threadless: Callable[..., AbstractContextManager[None]],
) -> None:
    sent = Sent()
    waker = Waker(lambda: cast(Queue, sent))
    with threadless():
        waker.wake()
    waker.wake()
    waker.close()
    assert sent.messages == [WAKE_MESSAGE]


def test_where_the_trigger_is_switched_off_nothing_is_sent_that_nobody_would_take() -> None:
    sent = Sent()
    waker = Waker(lambda: cast(Queue, sent), wanted=False)
    waker.wake()
    waker.close()
    assert sent.messages == []
