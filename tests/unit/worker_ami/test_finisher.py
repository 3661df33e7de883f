"""An answer is told at once, unless a backlog waits: then ten share their calls."""

import threading
from queue import SimpleQueue

import pytest

from novaburst.queues import Received
from worker_ami.worker import finisher
from worker_ami.worker.handler import Answered
from worker_ami.worker.held import Held

WAIT_SECONDS = 60


class Told:
    """A queue that notes in which calls notices were sent and messages deleted, and that deletes all."""

    name = "queue"

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.deleted = threading.Semaphore(0)

    def send(self, bodies: list[str]) -> list[int]:
        self.calls.append(bodies)
        return []

    def delete(self, messages: list[Received]) -> list[Received]:
        self.deleted.release()
        return []


@pytest.fixture(autouse=True)
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that waits for others waits for longer than any test."""
    monkeypatch.setattr(finisher, "_LINGER_SECONDS", 2 * WAIT_SECONDS)


def finish(answered: int, at_work: int, *, backlog: bool) -> list[list[str]]:
    """The calls for so many answers, while others are at work."""
    queue, answers = Told(), SimpleQueue[Answered | None]()
    messages = [Received(f"m{n}", "{}", f"receipt {n}", 1, 0) for n in range(answered + at_work)]
    held = Held(queue, len(messages), 30)  # type: ignore[arg-type]
    held.add(messages, 0)
    for message in messages[:answered]:
        answers.put(Answered(message, message.message_id))
    thread = threading.Thread(
        target=finisher.Finisher(queue, held, answers, backlog=lambda: backlog).run,  # type: ignore[arg-type]
        daemon=True,
    )
    thread.start()
    assert queue.deleted.acquire(timeout=WAIT_SECONDS)
    answers.put(None)
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()
    assert held.count == at_work
    return queue.calls


def test_ten_answers_share_one_call_in_a_burst() -> None:
    assert finish(10, 5, backlog=True) == [[f"m{n}" for n in range(10)]]


def test_without_a_backlog_no_answer_waits_for_another_that_is_at_work() -> None:
    assert finish(1, 5, backlog=False) == [["m0"]]


def test_the_last_answer_of_a_burst_waits_for_nothing() -> None:
    assert finish(1, 0, backlog=True) == [["m0"]]
