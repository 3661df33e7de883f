"""Which instances stay when there is nothing to do: some warm and running, some stopped and standing by. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from scaling_lambda.fleet import Action, Instance, Observation, State

# Nobody has needed a stopped instance for so long; the next idle worker takes its place. That is no way to a new AMI,
# since each start begins it anew: a deployment ends those of the old one (infra/upgrade.py).
STANDBY_MAX_AGE = timedelta(days=7)


@dataclass(frozen=True)
class Reserve:
    """What the operator wants to have ready: `warm` instances running although idle, `standby` stopped ones."""

    warm: int = 0
    standby: int = 0
    # Since its last start; EC2 remembers nothing else of a stopped instance.
    standby_max_age: timedelta = STANDBY_MAX_AGE


def startable(observation: Observation) -> tuple[Instance, ...]:
    """The instances that stand by, newest first, however many were wanted: they are there, and they start fast."""
    stopped = (i for i in observation.instances if i.state is State.STOPPED and i.standby and not i.keep)
    return _newest_first(stopped)


def surplus(observation: Observation, reserve: Reserve, starting: set[str]) -> list[Action]:
    """Stopped instances to terminate, at the first sighting: they hold no message, and a mistake costs 20 s of boot.

    One that nobody chose is never started, so it can go at any time. One that stands by goes only while there is no
    backlog: with one, another evaluation may be starting it at this moment.
    """
    terminate: list[Action] = []
    kept = 0
    for instance in _newest_first(i for i in observation.instances if i.state is State.STOPPED and not i.keep):
        if not instance.standby:
            terminate.append(Action(instance.id, "it stopped without having been chosen to stand by"))
        elif observation.counts.backlog > 0 or instance.id in starting:
            continue
        elif _outdated(instance, observation, reserve):
            age = reserve.standby_max_age.total_seconds()
            terminate.append(Action(instance.id, f"it has stood by for more than {age:.0f} s"))
        elif kept >= reserve.standby:
            terminate.append(Action(instance.id, f"{reserve.standby} newer ones stand by, and no more are wanted"))
        else:
            kept += 1
    return terminate


def staying(active: tuple[Instance, ...], count: int) -> list[Instance]:
    """The `count` that stay although idle: first those that a person keeps, those that know it, then the newest."""
    return sorted(_newest_first(active), key=lambda i: (not i.keep, not i.warm))[:count]


def warmth(observation: Observation, reserve: Reserve, ending: set[str]) -> tuple[list[Action], list[Action]]:
    """Whom to tell that they stay although idle, and whom that they no longer do."""
    active = tuple(i for i in observation.capacity if i.id not in ending)
    chosen = staying(active, reserve.warm)
    told = [Action(i.id, f"it is one of the {reserve.warm} that stay warm") for i in chosen if not (i.warm or i.keep)]
    released = [Action(i.id, f"{reserve.warm} others stay warm") for i in active if i.warm and i not in chosen]
    return told, released


def succession(observation: Observation, reserve: Reserve, ending: set[str]) -> tuple[list[Action], list[Action]]:
    """Which of the active instances are to stop when they shut down, until enough stand by, and which no longer.

    Those chosen already come first, then the newest. One that is still booting is left alone: it may never boot.
    """
    resting = [
        i
        for i in observation.instances
        if i.state in (State.STOPPED, State.STOPPING)
        and i.standby
        and not i.keep
        and i.id not in ending
        and not _outdated(i, observation, reserve)
    ]
    active = [i for i in observation.active if i.id not in ending]
    warm = staying(tuple(active), reserve.warm)
    able = [i for i in reversed(active) if not i.spot and not i.keep and i not in warm]
    # One that is sent away may be so for its old AMI: it is not chosen any more.
    new = [i for i in able if i.state is State.RUNNING and not i.standby and not i.leaving]
    candidates = [i for i in able if i.standby] + new
    chosen = candidates[: max(0, reserve.standby - len(resting))]
    told = [
        Action(i.id, f"{len(resting)} of {reserve.standby} stand by: it stops when it is idle")
        for i in chosen
        if not i.standby
    ]
    released = [
        Action(i.id, f"enough others of {reserve.standby} stand by") for i in active if i.standby and i not in chosen
    ]
    return told, released


def _outdated(instance: Instance, observation: Observation, reserve: Reserve) -> bool:
    return observation.at - instance.launched >= reserve.standby_max_age


def _newest_first(instances: Iterable[Instance]) -> tuple[Instance, ...]:
    return tuple(sorted(instances, key=lambda i: (i.launched, i.id), reverse=True))
