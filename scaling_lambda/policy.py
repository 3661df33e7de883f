"""The scaling decision: one pure function from what was observed to what is to be done, with its reasons."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Self

from scaling_lambda.brake import brake, can_brake
from scaling_lambda.cost import Cost, Prices
from scaling_lambda.departure import can_spare, departures
from scaling_lambda.fleet import Action, Counts, Fault, Instance, Observation, State
from scaling_lambda.reserve import Reserve, startable, staying, succession, surplus, warmth
from scaling_lambda.tokens import is_turning

# No setting goes above it: the last clamp on every path.
HARD_MAXIMUM = 20
# How long after it may be acted on a mark is believed. Older ones tell of evaluations that did not happen in between.
MARK_LIFETIME = timedelta(minutes=10)


class Policy(StrEnum):
    """How the backlog becomes a number of workers."""

    # At once to what the backlog needs.
    PROPORTIONAL = "proportional"
    # One more an evaluation while there are more messages than instances, one fewer while there are none.
    STEP = "step"


@dataclass(frozen=True)
class Limits:
    """What the operator allows; see `settings` for each value's source."""

    minimum: int
    maximum: int
    images_per_worker: int
    # What one worker classifies.
    images_per_second: float
    boot_grace: timedelta
    confirm_after: timedelta
    # The same for idleness. A look sees an image every few seconds seldom, and each worker ends itself when it is idle.
    idle_confirm_after: timedelta
    max_age: timedelta
    policy: Policy = Policy.PROPORTIONAL
    # What a person asks for at this once. The brake does not keep it from them.
    asked: int = 0
    reserve: Reserve = field(default_factory=Reserve)
    prices: Prices = field(default_factory=Prices)

    def at_least(self, workers: int) -> Self:
        """The same limits with a minimum of `workers`, as far as the maximum allows."""
        minimum = min(max(self.minimum, workers), self.maximum)
        return replace(self, minimum=minimum, asked=min(workers, self.maximum))


@dataclass(frozen=True)
class Plan:
    """What is to be done now. `want` is the number of workers aimed at, `have` those booting or running.

    Those that are leaving run still, and are not in `have`; `leaving` counts them.
    """

    want: int
    have: int
    # New instances, besides those to start.
    launch: int
    reason: str
    leaving: int = 0
    # New instances that are missing still, since none may be launched for some seconds.
    held: int = 0
    # Those that are missing still, since the brake keeps them back.
    braked: int = 0
    # Instances that stand by, stopped; for each that does not start, another one is launched.
    start: tuple[Action, ...] = ()
    terminate: tuple[Action, ...] = ()
    mark: tuple[Action, ...] = ()
    unmark: tuple[Action, ...] = ()
    # Active instances that are to stop rather than end when they shut down, and those that no longer are.
    stand_by: tuple[Action, ...] = ()
    stand_down: tuple[Action, ...] = ()
    # Active instances that are to stay although idle, and those that no longer are.
    keep_warm: tuple[Action, ...] = ()
    let_cool: tuple[Action, ...] = ()
    # Active instances that are to leave although there is work: their workers take nothing more.
    leave: tuple[Action, ...] = ()
    cost_per_hour: Cost = field(default_factory=Cost)


def decide(observation: Observation, limits: Limits) -> Plan:
    """What to start, launch, mark, unmark and terminate, who is to stay, and who is to leave.

    Capacity is everything that is pending or running, including what this plan terminates: a replacement is launched
    by a later evaluation, once the instance is seen to be gone, so a failed termination never passes the maximum.
    Those that are leaving are replaced at once if they are wanted, as far as the maximum allows, to which they count.
    The brake keeps back what is missing; it ends nobody.
    """
    active, have, maximum = observation.active, len(observation.capacity), min(limits.maximum, HARD_MAXIMUM)
    desired, wanted = _wanted(observation, limits)
    braked = brake(observation) if wanted > have else None
    want = wanted if braked is None else min(wanted, max(1, limits.asked))
    # Between two tries nothing is added but what a person asks for.
    aim = min(want, limits.asked) if braked is not None and braked.waiting else want
    room = max(0, maximum - len(active))
    # On a view that lacks instances nothing is added: another evaluation's launch would be made twice.
    lacking, ready = min(room, max(0, aim - have)) if observation.complete else 0, startable(observation)
    start = tuple(Action(i.id, "it stands by, which is sooner than a new one") for i in ready[:lacking])
    starting = {action.instance for action in start}
    missing = lacking - len(start)
    # A start may be made twice, a launch may not.
    launch = 0 if is_turning(observation.at) else missing
    terminate, mark, unmark = _reap(observation, limits, want)
    terminate += _over_maximum(active, maximum, {action.instance for action in terminate})
    terminate += surplus(observation, limits.reserve, starting)
    ending = {action.instance for action in terminate}
    stand_by, stand_down = succession(observation, limits.reserve, ending)
    keep_warm, let_cool = warmth(observation, limits.reserve, ending)
    plan = Plan(
        want=want,
        have=have,
        leaving=len(active) - have,
        launch=launch,
        held=missing - launch,
        braked=max(0, wanted - max(aim, have)),
        reason=_reason(observation, limits, desired, wanted)
        + _held(missing - launch)
        + (f"; {braked}" if braked else ""),
        start=start,
        terminate=tuple(terminate),
        mark=tuple(action for action in mark if action.instance not in ending),
        unmark=tuple(action for action in unmark if action.instance not in ending),
        stand_by=tuple(stand_by),
        stand_down=tuple(stand_down),
        keep_warm=tuple(keep_warm),
        let_cool=tuple(let_cool),
        leave=() if ending else _departures(observation, limits, wanted),
    )
    return priced(plan, observation, limits.prices)


def priced(plan: Plan, observation: Observation, prices: Prices) -> Plan:
    """The plan with its cost. What is still booting counts: it is about to be billed."""
    ending = {action.instance for action in (*plan.terminate, *plan.leave)}
    ending |= {instance.id for instance in observation.active if instance.leaving}
    starting = {action.instance for action in plan.start}
    active = [instance.type for instance in observation.active]
    planned = [i.type for i in observation.instances if (i.active and i.id not in ending) or i.id in starting]
    return replace(plan, cost_per_hour=Cost(prices.total(active), prices.total([*planned, *[None] * plan.launch])))


def depends_on_minutes(observation: Observation, limits: Limits) -> bool:
    """Whether the queue's last minutes could change the plan: whether it is worth while to ask for them."""
    return may_send_away(observation, limits) or may_brake(observation, limits)


def may_brake(observation: Observation, limits: Limits) -> bool:
    """Whether the minutes could keep back a launch."""
    return _wanted(observation, limits)[1] > len(observation.capacity) and can_brake(observation)


def may_send_away(observation: Observation, limits: Limits) -> bool:
    """Whether the minutes could send somebody away."""
    return limits.policy is Policy.PROPORTIONAL and can_spare(observation, _wanted(observation, limits)[1])


def still_right(plan: Plan, counts: Counts, observation: Observation) -> tuple[Action, ...]:
    """The plan's terminations that are right by counts taken just before they are done.

    A worker may have taken a message since the plan was made. SQS does not say which one, so as soon as anything is in
    flight no running instance is ended. One that had not booted holds nothing. One that stands by is spared as soon as
    there is any work: another evaluation may have started it.
    """
    by_id = {instance.id: instance for instance in observation.instances}

    def right(instance: Instance) -> bool:
        if instance.state is State.STOPPED:
            return counts.backlog == 0 or not instance.standby
        return counts.in_flight == 0 or instance.state is State.PENDING

    return tuple(action for action in plan.terminate if right(by_id[action.instance]))


def _desired(backlog: int, have: int, limits: Limits) -> int:
    """How many workers the policy asks for, before the minimum and the maximum."""
    if limits.policy is Policy.STEP:
        change = 1 if backlog > have else -1 if backlog == 0 else 0
        return max(0, have + change)
    return -(-backlog // limits.images_per_worker)


def _wanted(observation: Observation, limits: Limits) -> tuple[int, int]:
    """How many workers the policy asks for, and how many of these there are to be."""
    desired = _desired(observation.counts.backlog, len(observation.capacity), limits)
    return desired, min(max(limits.minimum, desired), limits.maximum, HARD_MAXIMUM)


def _departures(observation: Observation, limits: Limits, want: int) -> tuple[Action, ...]:
    """The steps of the seed's rule end workers by themselves."""
    if limits.policy is Policy.STEP:
        return ()
    return departures(
        observation, want, images_per_worker=limits.images_per_worker, images_per_second=limits.images_per_second
    )


def _reason(observation: Observation, limits: Limits, desired: int, want: int) -> str:
    bound = "minimum" if want > desired else "maximum"
    wanted = f"wanted by {limits.policy}" if want == desired else f"wanted, the {bound}, {desired} by {limits.policy}"
    parts = [f"{want} {wanted}", f"{len(observation.capacity)} booting or running"]
    if leaving := len(observation.active) - len(observation.capacity):
        parts.append(f"{leaving} leaving")
    if ready := startable(observation):
        parts.append(f"{len(ready)} standing by")
    if not observation.complete:
        parts.append("nothing is added, since a launch of moments ago is not seen whole yet")
    return f"{observation.counts}: {', '.join(parts)}"


def _held(count: int) -> str:
    return f", {count} held back for some seconds, since the tokens' hour turns" if count else ""


def _reap(observation: Observation, limits: Limits, want: int) -> tuple[list[Action], list[Action], list[Action]]:
    """Terminate what was marked long enough and is at fault still, mark what is so newly, unmark what has recovered.

    Workers end themselves when they are idle; this is the net for those that do not.
    """
    terminate: list[Action] = []
    mark: list[Action] = []
    unmark: list[Action] = []
    # The oldest go first. The minimum is never marked as idle; how many may go now is the policy's to say.
    minimum = staying(observation.capacity, limits.minimum)
    beyond_want = len(observation.capacity) - want
    for instance in observation.active:
        found = _fault(instance, observation, limits)
        idle = found is not None and found[0] is Fault.IDLE
        if found is None or (idle and instance in minimum):
            if instance.tagged:
                unmark.append(Action(instance.id, "it is no longer at fault"))
            continue
        fault, reason = found
        marked_for, confirm_after = None, limits.idle_confirm_after if idle else limits.confirm_after
        if instance.mark is not None and instance.mark.fault is fault:
            marked_for = observation.at - instance.mark.since
        if marked_for is None or marked_for > confirm_after + MARK_LIFETIME:
            mark.append(Action(instance.id, reason, fault))
        elif marked_for >= confirm_after and (not idle or instance.leaving or beyond_want > 0):
            beyond_want -= idle and not instance.leaving
            terminate.append(Action(instance.id, f"{reason}, seen again after {marked_for.total_seconds():.0f} s"))
    return terminate, mark, unmark


def _fault(instance: Instance, observation: Observation, limits: Limits) -> tuple[Fault, str] | None:
    """What is wrong with an active instance, if anything. Only while nothing is in flight can it be known to be idle.

    A pending instance holds no message, whatever is in flight.
    """
    age, counts = observation.at - instance.launched, observation.counts
    if instance.keep or age < limits.boot_grace:
        return None
    if instance.state is State.PENDING:
        return Fault.UNBOOTED, f"it has not booted {age.total_seconds():.0f} s after its launch"
    if counts.in_flight == 0:
        if age >= limits.max_age:
            return Fault.AGED, f"it is older than {limits.max_age.total_seconds():.0f} s and nothing is in flight"
        if counts.backlog == 0:
            return Fault.IDLE, "nothing is waiting or in flight"
        if counts.visible > 0:
            return Fault.STALLED, f"{counts.visible} are waiting and nobody takes them"
    return None


def _over_maximum(active: tuple[Instance, ...], maximum: int, going: set[str]) -> list[Action]:
    """The newest booting instances above the maximum: they hold no work yet. Running ones end themselves."""
    excess = len(active) - len(going) - maximum
    booting = [i for i in reversed(active) if i.state is State.PENDING and not i.keep and i.id not in going]
    return [Action(i.id, f"it is above the maximum of {maximum}") for i in booting[: max(0, excess)]]
