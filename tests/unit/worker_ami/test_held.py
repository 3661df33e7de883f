"""What a worker holds is bounded, and what waits for SQS alone takes no room from the next image."""

from novaburst.queues import Received
from worker_ami.worker.held import Held


class Silent:
    """A queue that takes everything."""

    name = "queue"

    def delete(self, messages: list[Received]) -> list[Received]:
        return []


def messages(first: int, number: int) -> list[Received]:
    return [Received(f"m{n}", "{}", f"receipt {n}", 1, 0) for n in range(first, first + number)]


def test_a_message_takes_room_until_its_result_is_stored_and_is_held_until_it_is_deleted() -> None:
    held = Held(Silent(), 4, 60)  # type: ignore[arg-type]
    taken = messages(0, 4)
    held.add(taken)
    assert held.wait_for_room(0) == 0
    for message in taken[:3]:
        held.answered(message)
    assert held.wait_for_room(0) == 3
    assert held.count == 4
    held.delete(taken)
    assert held.wait_for_room(0) == 4
    assert held.count == 0


def test_answers_that_sqs_does_not_take_end_in_no_more_receives() -> None:
    held = Held(Silent(), 4, 60)  # type: ignore[arg-type]
    for first in (0, 4):
        batch = messages(first, 4)
        held.add(batch)
        for message in batch:
            held.answered(message)
    assert held.wait_for_room(0) == 0
