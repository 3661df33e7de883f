"""What a worker holds is bounded, and what waits for SQS alone takes no room from the next image."""

import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from novaburst.queues import Received
from worker_ami.worker.held import Held

WAIT_SECONDS = 60


class Silent:
    """A queue that takes everything."""

    name = "queue"

    def delete(self, messages: list[Received]) -> list[Received]:
        return []

    def set_visibility(self, messages: list[Received], seconds: int) -> list[Received]:
        return []


class Slow(Silent):
    """A queue whose deletions end when they are let."""

    def __init__(self) -> None:
        self.under_way = threading.Semaphore(0)
        self.let = threading.Event()
        self.hidden: list[str] = []

    def delete(self, messages: list[Received]) -> list[Received]:
        self.under_way.release()
        assert self.let.wait(WAIT_SECONDS)
        return []

    def set_visibility(self, messages: list[Received], seconds: int) -> list[Received]:
        self.hidden += [message.message_id for message in messages]
        return []


def messages(first: int, number: int) -> list[Received]:
    return [Received(f"m{n}", "{}", f"receipt {n}", 1, 0) for n in range(first, first + number)]


def room(held: Held) -> int:
    """How many may be taken now; it is not kept for them."""
    there = held.wait_for_room(0)
    held.add([], there)
    return there


def take(held: Held, batch: list[Received]) -> None:
    held.add(batch, held.wait_for_room(0))


def test_a_message_takes_room_until_its_result_is_stored_and_is_held_until_it_is_deleted() -> None:
    held = Held(Silent(), 4, 60)  # type: ignore[arg-type]
    taken = messages(0, 4)
    take(held, taken)
    assert room(held) == 0
    for message in taken[:3]:
        held.answered(message)
    assert room(held) == 3
    assert held.count == 4
    held.delete(taken)
    assert room(held) == 4
    assert held.count == 0


def test_answers_that_sqs_does_not_take_end_in_no_more_receives() -> None:
    held = Held(Silent(), 4, 60)  # type: ignore[arg-type]
    for first in (0, 4):
        batch = messages(first, 4)
        take(held, batch)
        for message in batch:
            held.answered(message)
    assert room(held) == 0


@given(
    bound=st.integers(1, 40),
    brought=st.lists(st.integers(0, 10), max_size=30),
    receivers=st.integers(1, 4),
)
def test_receives_under_way_together_never_bring_more_than_there_is_room_for(
    bound: int, brought: list[int], receivers: int
) -> None:
    held, number = Held(Silent(), bound, 60), 0  # type: ignore[arg-type]
    under_way: list[int] = []
    for most in brought:
        under_way.append(held.wait_for_room(0))
        if len(under_way) == receivers:
            for kept in under_way:
                batch = messages(number, min(most, kept))
                number += len(batch)
                held.add(batch, kept)
            under_way.clear()
        assert held.count + sum(under_way) <= bound


def test_deletions_run_side_by_side_and_what_is_deleted_is_not_hidden_again() -> None:
    queue = Slow()
    held = Held(queue, 8, 60)  # type: ignore[arg-type]
    first, second, last = messages(0, 2), messages(2, 2), messages(4, 1)
    take(held, [*first, *second, *last])
    with ThreadPoolExecutor(2) as pool:
        deletions = [pool.submit(held.delete, batch) for batch in (first, second)]
        for _ in deletions:
            assert queue.under_way.acquire(timeout=WAIT_SECONDS)
        held.extend()
        queue.let.set()
        for deletion in deletions:
            deletion.result(WAIT_SECONDS)
    assert queue.hidden == ["m4"]
    assert held.count == 1


def test_an_empty_receive_leaves_a_worker_idle() -> None:
    now = [0.0]
    held = Held(Silent(), 4, 60, lambda: now[0])  # type: ignore[arg-type]
    now[0] = 5.0
    take(held, [])
    assert held.idle_seconds() == 5
    take(held, messages(0, 1))
    assert held.idle_seconds() == 0
