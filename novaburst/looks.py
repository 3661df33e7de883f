"""Many questions to S3 side by side: one after the other, at 30 ms each, they would be 30 a second."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

Q = TypeVar("Q")
A = TypeVar("A")

# Questions at once.
_AT_ONCE = 16
# Questions in a row without an answer, after which S3 is taken to be away.
_IN_VAIN = 20


@dataclass(frozen=True)
class Unanswered:
    """Instead of an answer: why there is none."""

    error: BotoCoreError | ClientError


def look_at_all(look: Callable[[Q], A], these: Sequence[Q]) -> list[A]:
    """What `look` says of each, in order; where one raises, that is raised, and what has not begun is left out."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="look") as pool:
        return list(pool.map(look, these))


def look_at_each(look: Callable[[Q], A], these: Sequence[Q]) -> list[A | Unanswered]:
    """What `look` says of each, in order, where AWS lets it: of a thousand questions to a busy S3 some always fail.

    After many failures in a row nothing more is asked.
    """
    failures: list[Unanswered] = []

    def one(this: Q) -> A | Unanswered:
        if len(failures) >= _IN_VAIN:
            return failures[-1]
        try:
            answer = look(this)
        except (BotoCoreError, ClientError) as error:
            failures.append(Unanswered(error))
            return failures[-1]
        if len(failures) < _IN_VAIN:
            failures.clear()
        return answer

    return look_at_all(one, these)
