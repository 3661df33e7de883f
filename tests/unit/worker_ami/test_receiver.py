"""How often a worker that has nothing to do asks for work."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from novaburst.polls import Polls
from worker_ami.worker.held import Held
from worker_ami.worker.receiver import Receiver

POLL_SECONDS = 5
IDLE_SECONDS = 28.0


class _Empty:
    """A queue without messages; a poll takes as long as it may."""

    name = "empty"

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[int] = []
        self.at_end: Callable[[], None] = lambda: None

    def receive(self, *, at_most: int, wait_seconds: int) -> list[Any]:
        self.waits.append(wait_seconds)
        self.now += wait_seconds
        if self.now >= 600:
            self.at_end()
        return []


def test_one_that_stays_although_it_is_idle_asks_as_seldom_as_before() -> None:
    queue, stop, questions = _Empty(), threading.Event(), 0
    queue.at_end = stop.set

    def asked_to_stay() -> bool:
        nonlocal questions
        questions += 1
        return True

    Receiver(
        queue,  # type: ignore[arg-type] # all that is used of it
        Held(queue, 10, 30, lambda: queue.now),  # type: ignore[arg-type] # likewise
        SimpleQueue(),
        stop,
        Polls(1),
        patience=lambda idle: IDLE_SECONDS,
        poll_seconds=POLL_SECONDS,
        asked_to_stay=asked_to_stay,
        clock=lambda: queue.now,
    ).run()
    # The last poll before its time is over is as long as that.
    assert queue.waits[:6] == [5, 5, 5, 5, 5, 3]
    assert set(queue.waits[6:]) == {POLL_SECONDS}
    assert questions == len(queue.waits) - 5
