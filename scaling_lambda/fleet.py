"""What is known at one moment: the queue's counts, the fleet's instances and the marks on them. Plain data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

FLEET_TAG = "novaburst:fleet"
MARK_TAG = "novaburst:marked"
# Whatever its value: an instance with this tag is never terminated by the Lambda. A person sets it.
KEEP_TAG = "novaburst:keep"
# Whatever its value: the worker on it does not end itself when idle. The Lambda sets it on the warm minimum.
WARM_TAG = "novaburst:warm"
# Whatever its value: when it shuts itself down it is stopped rather than terminated. The Lambda sets it.
STANDBY_TAG = "novaburst:standby"
# Its value is a moment: since then its worker takes nothing more, finishes what it holds and ends. The Lambda sets it.
LEAVE_TAG = "novaburst:leave"
# How many instances of the fleet were known to its launch, itself and those of its call included. The launch sets it.
SIZE_TAG = "novaburst:fleet-size"

# So long after a launch a read of EC2 may show the fleet without it, or with a part of it. EC2 gives no bound; its
# reads were seen to lag by several seconds.
VIEW_SETTLES = timedelta(seconds=15)


class State(StrEnum):
    """EC2's instance states."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"


class Fault(StrEnum):
    """Why an instance may have to go."""

    IDLE = "idle"
    STALLED = "stalled"
    UNBOOTED = "unbooted"
    AGED = "aged"


@dataclass(frozen=True)
class Mark:
    """A first sighting of a fault, kept in an instance's tag until a later evaluation confirms or withdraws it."""

    fault: Fault
    since: datetime

    @classmethod
    def parse(cls, value: str) -> Self | None:
        """Read a tag's value; None when a person or another version wrote something else there."""
        fault, _, since = value.partition(" ")
        moment = _moment(since)
        return cls(Fault(fault), moment) if moment is not None and fault in set(Fault) else None

    def __str__(self) -> str:
        return f"{self.fault} {self.since.isoformat(timespec='seconds')}"


@dataclass(frozen=True)
class Instance:
    """One instance of the fleet, as EC2 described it; times have their zone."""

    id: str
    state: State
    launched: datetime
    mark: Mark | None = None
    # Whether the mark's tag is there at all, readable or not.
    tagged: bool = False
    keep: bool = False
    warm: bool = False
    standby: bool = False
    # When it was sent away, though there was work; None if it was not.
    sent_away: datetime | None = None
    # A one-time spot instance: once stopped it could not be started again.
    spot: bool = False
    # EC2's instance type, such as c6i.large; None where it is not known, as in a what-if question.
    type: str | None = None
    # The value of the tag of that name; 0 without it, or with something else in it.
    fleet_size: int = 0

    @classmethod
    def from_tags(
        cls,
        identity: str,
        state: State,
        launched: datetime,
        tags: Mapping[str, str],
        *,
        instance_type: str | None = None,
        spot: bool = False,
    ) -> Self:
        """Build the value from an instance's tags and what else EC2 said about it."""
        text, size, leave = tags.get(MARK_TAG), tags.get(SIZE_TAG, ""), tags.get(LEAVE_TAG)
        return cls(
            identity,
            state,
            launched,
            mark=None if text is None else Mark.parse(text),
            tagged=text is not None,
            keep=KEEP_TAG in tags,
            warm=WARM_TAG in tags,
            standby=STANDBY_TAG in tags,
            # The worker looks for the tag alone. Whatever else a person wrote there, it was after the launch.
            sent_away=None if leave is None else _moment(leave) or launched,
            spot=spot,
            type=instance_type,
            fleet_size=int(size) if size.isascii() and size.isdigit() else 0,
        )

    @property
    def active(self) -> bool:
        """Whether it is switched on, and paid for: it works, or will once it has booted, or is leaving."""
        return self.state in (State.PENDING, State.RUNNING)

    @property
    def leaving(self) -> bool:
        """Whether it is on, and will soon be gone; its worker obeys a person who keeps it before the Lambda."""
        return self.active and self.sent_away is not None and not self.keep


@dataclass(frozen=True)
class Counts:
    """Approximate numbers of messages on the request queue, as SQS counts them."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def backlog(self) -> int:
        """All images that are not answered yet."""
        return self.visible + self.in_flight + self.delayed

    def __str__(self) -> str:
        return f"{self.visible} waiting, {self.in_flight} in flight, {self.delayed} delayed"


@dataclass(frozen=True)
class Minute:
    """One minute of the request queue, as CloudWatch has it."""

    start: datetime
    # Images that were queued in it, and the most that were visible and in flight.
    sent: int
    backlog: int
    # Images whose messages were deleted in it, which is the end of each answer, of an error's too; None is unknown.
    deleted: int | None = None


@dataclass(frozen=True)
class Observation:
    """Queue and fleet at one moment; `instances` holds every instance that EC2 still knows, terminated ones too."""

    at: datetime
    counts: Counts
    instances: tuple[Instance, ...]
    # The queue's last minutes, in order, as far as they are known; nobody looks while they could not matter.
    minutes: tuple[Minute, ...] = ()

    @property
    def active(self) -> tuple[Instance, ...]:
        """The instances that are on, oldest first. All of them count to the maximum."""
        return tuple(sorted((i for i in self.instances if i.active), key=lambda i: (i.launched, i.id)))

    @property
    def capacity(self) -> tuple[Instance, ...]:
        """Those of them that are not leaving, oldest first."""
        return tuple(instance for instance in self.active if not instance.leaving)

    def count(self, state: State) -> int:
        """How many instances are in that state."""
        return sum(instance.state is state for instance in self.instances)

    @property
    def complete(self) -> bool:
        """Whether nothing tells of instances that this view of the fleet lacks: only on a complete one may be launched.

        Another evaluation's launch may be visible in part, or without the one before it; each of its instances tells
        how many there were in all. A launch that is not visible at all is the client token's business. One that stands
        by tells of the time of its launch, not of its latest start.
        """
        told = (i.fleet_size for i in self.instances if not i.standby and self.at - i.launched < VIEW_SETTLES)
        return len(self.instances) >= max(told, default=0)

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to watch: no work, and no instance that will need ending.

        Stopped ones can wait for the next minute: of them only the disk is paid for.
        """
        return self.counts.backlog == 0 and not any(instance.active for instance in self.instances)


@dataclass(frozen=True)
class Action:
    """Something to do to one instance, and why."""

    instance: str
    reason: str
    # The kind of fault to write into the mark; None where none is written.
    fault: Fault | None = None


def _moment(text: str) -> datetime | None:
    """The moment that a tag's value names; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
