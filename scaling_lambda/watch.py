"""Looking again every few seconds within one invocation, while there is a reason to."""

from collections.abc import Callable
from datetime import timedelta

from scaling_lambda.clock import Clock
from scaling_lambda.evaluate import Report
from scaling_lambda.fleet import Observation, State

# Between two looks while somebody waits for the first: a look costs two requests, and SQS's counts are a second or two
# late.
SOON_SECONDS = 1.0


def has_work(report: Report) -> bool:
    """Whether there is a backlog, or an instance that is not to stay as it is.

    Without, the next minute, an alarm or a wake-up is early enough: to watch a kept worker, day and night, would cost a
    third of what the worker does (`novaburst estimate`).
    """
    return not (report.observation.quiet or _rests(report.observation, report.plan.want))


def _rests(observation: Observation, wanted: int) -> bool:
    """Whether there is no work, and just those run that the minimum keeps, sound."""
    active = observation.active
    return (
        observation.counts.backlog == 0
        and len(active) == wanted
        and all(one.state is State.RUNNING and one.mark is None and not one.leaving for one in active)
    )


def is_unsettled(report: Report) -> bool:
    """Whether another evaluation's launch was in the way of this one's, so that something may be missing still."""
    return not report.settled


def is_missing_work(report: Report) -> bool:
    """Of a look that a message caused: whether that is unsettled, or sees neither work nor anybody who has done it.

    SQS's counts lag behind its messages. A single wake-up that came too soon would leave its image to the next minute.
    """
    return is_unsettled(report) or report.observation.quiet


def watch(
    evaluate: Callable[[], Report],
    clock: Clock,
    *,
    again: Callable[[Report], bool],
    for_seconds: float,
    poll_seconds: float,
) -> list[Report]:
    """Evaluate at once, then every `poll_seconds` until `for_seconds` have passed, and return what was reported.

    It ends as soon as the last report is no reason to look `again`: a Lambda that only sleeps is not paid for.
    """
    end = clock.now() + timedelta(seconds=for_seconds)
    reports = [evaluate()]
    while again(reports[-1]) and clock.now() + timedelta(seconds=poll_seconds) <= end:
        clock.sleep(poll_seconds)
        reports.append(evaluate())
    return reports
