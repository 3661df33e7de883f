"""The dead-letter queue in an operator's hands: what lies there is taken, judged by the buckets, and moved or answered.

Nothing is lost wherever this is killed. A letter is deleted only after its request is back in the request queue, or
its result object is stored; until then it comes back by itself, `HIDE_SECONDS` after it was taken. What was done twice
is harmless, since results are kept by id.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from novaburst.bounds import SQS_BATCH
from novaburst.contract import ContractError, Result, result_key
from novaburst.letters import Facts, Letter, Step, What, read
from novaburst.looks import look_at_all
from novaburst.objects import Bucket, ObjectMissingError
from novaburst.queues import Queue
from novaburst.result_objects import read_result

# How long a letter that was taken stays hidden, in seconds: time to judge and move a thousand of them.
HIDE_SECONDS = 300
# Not 0: a short poll asks a part of SQS's servers only, and may find nothing in a queue that is not empty.
WAIT_SECONDS = 1


@dataclass(frozen=True)
class DeadLetterQueue:
    """The queue, and where its letters may go."""

    queue: Queue
    request_queue: Queue
    response_queue: Queue
    in_bucket: Bucket
    out_bucket: Bucket

    def take(self, at_most: int) -> list[Letter]:
        """Hide up to `at_most` letters from everybody else, and return them, the oldest first."""
        taken: dict[str, Letter] = {}
        while len(taken) < at_most:
            batch = self.queue.receive(
                at_most=min(SQS_BATCH, at_most - len(taken)), wait_seconds=WAIT_SECONDS, hide_seconds=HIDE_SECONDS
            )
            fresh = {message.message_id: read(message) for message in batch if message.message_id not in taken}
            if not fresh:
                break
            taken |= fresh
        return sorted(taken.values(), key=lambda letter: letter.received.sent_ms)

    def give_back(self, letters: Iterable[Letter]) -> None:
        """Let everybody see these letters again at once."""
        self.queue.set_visibility([letter.received for letter in letters], 0)

    def hidden_elsewhere(self, taken: int) -> int:
        """About how many letters somebody else holds, while `taken` are held here."""
        return max(0, self.queue.depth().in_flight - taken)

    def facts(self, letters: Sequence[Letter]) -> list[Facts]:
        """What the buckets say of each letter's image, in order."""
        return look_at_all(self._facts, letters)

    def carry_out(self, steps: Sequence[Step]) -> list[Step]:
        """Do what the plan says; those steps that were done wholly, a `LEAVE` never being one.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: what is not done yet is still in the queue.
        """
        done: list[Step] = []
        for start in range(0, len(steps), SQS_BATCH):
            page = steps[start : start + SQS_BATCH]
            done += self._delete(self._send_back([step for step in page if step.what is What.SEND_BACK]))
            for step in page:
                if step.what is What.ANSWER and step.result is not None:
                    self._store(step.result)
            done += self._delete(self._tell([step for step in page if step.what in {What.TELL, What.ANSWER}]))
        return done

    def _facts(self, letter: Letter) -> Facts:
        if letter.image is None:
            return Facts()
        request = letter.request
        stored = None
        if request is not None:
            stored = request.bucket == self.in_bucket.name and self.in_bucket.exists(request.key)
        return replace(facts_of_answer(self.out_bucket, letter.image), stored=stored)

    def _send_back(self, steps: Sequence[Step]) -> list[Step]:
        return _taken(self.request_queue, steps, [step.letter.received.body for step in steps])

    def _store(self, result: Result) -> None:
        self.out_bucket.put(result_key(result.id), result.to_json().encode(), content_type="application/json")

    def _tell(self, steps: Sequence[Step]) -> list[Step]:
        return _taken(self.response_queue, steps, [step.result.to_message() for step in steps if step.result])

    def _delete(self, steps: Sequence[Step]) -> list[Step]:
        failed = self.queue.delete([step.letter.received for step in steps])
        return [step for step in steps if step.letter.received not in failed]


def facts_of_answer(out_bucket: Bucket, image: str) -> Facts:
    """What the out-bucket says of an image's result."""
    try:
        return Facts(read_result(out_bucket, image))
    except ObjectMissingError:
        return Facts()
    except ContractError as error:
        return Facts(unread_answer=str(error))


def _taken(queue: Queue, steps: Sequence[Step], bodies: Sequence[str]) -> list[Step]:
    """Send each step's body; those steps whose body SQS has taken."""
    refused = set(queue.send(bodies))
    return [step for number, step in enumerate(steps) if number not in refused]
