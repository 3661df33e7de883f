"""Many questions to S3 side by side: one after the other, at 30 ms each, they would be 30 a second."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
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
    in_a_row, away, counting = 0, list[Unanswered](), Lock()

    def one(this: Q) -> A | Unanswered:
        nonlocal in_a_row
        if away:
            return away[0]
        try:
            answer = look(this)
        except (BotoCoreError, ClientError) as error:
            unanswered = Unanswered(error)
            with counting:
                in_a_row += 1
                if in_a_row >= _IN_VAIN:
                    away.append(unanswered)
            return unanswered
        with counting:
            in_a_row = 0
        return answer

    return look_at_all(one, these)
