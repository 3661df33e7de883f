"""Who is sent away although there is work: what a steady stream does not need. Pure.

Under a stream every worker gets messages, so none is ever idle, and the fleet would stay as large as its first minute
made it. So the last minutes are asked what would have been enough, and all beyond that are sent away at once: the
minutes are margin enough, and each that stays is paid for. Growing has no part in this. It goes by the backlog alone,
which passes the share of those who stay only if they cannot keep up.
"""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from scaling_lambda.fleet import Action, Minute, Observation, State
from scaling_lambda.reserve import staying

MINUTE = timedelta(minutes=1)
# So many whole minutes must agree. An instance is paid for a minute at least and boots for half of one: sending it away
# pays if it is not missed for two. The third is there since the latest minute may not be counted whole yet.
WINDOW = 3
# SQS's metrics come a minute or two late. Older ones say too little of the present.
LATEST = timedelta(minutes=4)
# How much of its speed an instance may be asked for. At that, random arrivals wait for a fraction of a second, far less
# than users tolerate; three quarters would keep a third instance, half idle, for 200 images a second.
UTILISATION = 0.9
# A launch so soon after a departure says that one was missed: the speed in the settings is too high, or the stream
# comes and goes. For an hour, as long as EC2 remembers, one more stays for each such departure, so no fleet flaps long.
MISSED = timedelta(minutes=15)
FORGIVEN = timedelta(hours=1)


def can_spare(observation: Observation, wanted: int) -> bool:
    """Whether the last minutes could show that somebody is not needed, which is the reason to ask for them.

    Args:
        observation: queue and fleet; its minutes are not looked at.
        wanted: how many workers the present backlog and the minimum want.
    """
    capacity = observation.capacity
    return (
        len(capacity) > max(1, wanted) + _missed(observation)
        and observation.count(State.PENDING) == 0
        and all(observation.at - instance.launched >= WINDOW * MINUTE for instance in capacity)
    )


def departures(
    observation: Observation, wanted: int, *, images_per_worker: int, images_per_second: float
) -> tuple[Action, ...]:
    """Whom to send away: all that neither the present nor any of the last minutes needs, and nobody if one is unknown.

    The choice is by the instances alone, and those sent away already do not count: two evaluations at the same moment
    choose the same ones, and a later one nobody more.

    Args:
        observation: queue and fleet, with the queue's last minutes.
        wanted: how many workers the present backlog and the minimum want.
        images_per_worker: a worker's share of a backlog.
        images_per_second: what one worker classifies.
    """
    window = known_window(observation.minutes, observation.at)
    if not window or not can_spare(observation, wanted):
        return ()
    capacity = observation.capacity
    if any(instance.launched > window[0].start for instance in capacity):
        return ()
    pace, backlog = max(minute.sent for minute in window) / MINUTE.total_seconds(), max(m.backlog for m in window)
    for_backlog, for_pace = math.ceil(backlog / images_per_worker), math.ceil(pace / (images_per_second * UTILISATION))
    enough = max(1, wanted, for_backlog, for_pace) + _missed(observation)
    stay = {instance.id for instance in staying(capacity, enough)}
    reason = f"{pace:.1f} images a second and {backlog} at a time, the most in {len(window)} minutes, need {enough}"
    return tuple(
        Action(instance.id, reason)
        for instance in capacity
        if instance.id not in stay and not (instance.keep or instance.warm)
    )


def known_window(minutes: Sequence[Minute], at: datetime) -> tuple[Minute, ...]:
    """The latest minutes that are over and known without a gap, and what is known of the present one.

    Empty where that is too few, or too old.
    """
    over = [minute for minute in minutes if minute.start + MINUTE <= at][-WINDOW:]
    if len(over) < WINDOW or at - (over[-1].start + MINUTE) > LATEST:
        return ()
    if over[-1].start - over[0].start != (WINDOW - 1) * MINUTE:
        return ()
    return tuple(minute for minute in minutes if minute.start >= over[0].start)


def _missed(observation: Observation) -> int:
    """How many departures of the last hour were followed by a launch shortly after."""
    departed = {instance.sent_away for instance in observation.instances if instance.sent_away is not None}
    launched = [i.launched for i in observation.instances if observation.at - i.launched < FORGIVEN]
    return sum(any(timedelta() < launch - moment < MISSED for launch in launched) for moment in departed)
