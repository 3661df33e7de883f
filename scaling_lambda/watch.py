"""The schedule's way of looking: again every few seconds within one invocation, while there is anything to watch."""

from collections.abc import Callable
from datetime import timedelta

from scaling_lambda.clock import Clock
from scaling_lambda.evaluate import Report


def watch(evaluate: Callable[[], Report], clock: Clock, *, for_seconds: float, poll_seconds: float) -> list[Report]:
    """Evaluate at once, then every `poll_seconds` until `for_seconds` have passed, and return what was reported.

    It ends at once when there is neither a backlog nor an instance: then the next minute's schedule, an alarm or a
    wake-up is early enough, and a Lambda that only sleeps is not paid for.
    """
    end = clock.now() + timedelta(seconds=for_seconds)
    reports = [evaluate()]
    while not reports[-1].observation.quiet and clock.now() + timedelta(seconds=poll_seconds) <= end:
        clock.sleep(poll_seconds)
        reports.append(evaluate())
    return reports
