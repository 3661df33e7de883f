"""A plan turned into EC2 calls that can be repeated, overlapped and partly refused without harm."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from scaling_lambda.fleet import LEAVE_TAG, MARK_TAG, STANDBY_TAG, WARM_TAG, Action, Mark, Observation
from scaling_lambda.launch import SHORT_CAPACITY, Launcher, error_code
from scaling_lambda.policy import Plan

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

_NOT_FOUND = "InvalidInstanceID.NotFound"


@dataclass
class Outcome:
    """What happened: ids of instances, and in `failures` what did not work, in words."""

    launched: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    terminated: list[str] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)
    unmarked: list[str] = field(default_factory=list)
    standing_by: list[str] = field(default_factory=list)
    stood_down: list[str] = field(default_factory=list)
    kept_warm: list[str] = field(default_factory=list)
    let_cool: list[str] = field(default_factory=list)
    sent_away: list[str] = field(default_factory=list)
    # Each refusal for lack of capacity or quota, as "<code> for <type> in <subnet>". Normal, not failures.
    short: list[str] = field(default_factory=list)
    # Launches left to another evaluation that is under way.
    deferred: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def apply(plan: Plan, observation: Observation, ec2: "EC2Client", launcher: Launcher) -> Outcome:
    """Do what the plan says. One item that fails does not stop the others; the next evaluation sees it again."""
    outcome = Outcome()
    if plan.start:
        sent_away = {i.id for i in observation.instances if i.sent_away is not None}
        _start(plan.start, sent_away, ec2, outcome)
    # Whatever does not start is launched anew, and at once.
    wanted = plan.launch + len(plan.start) - len(outcome.started)
    if wanted > 0:
        launched = launcher.launch(wanted, observation)
        outcome.launched += launched.ids
        outcome.short += launched.short
        outcome.deferred += launched.deferred
        outcome.failures += launched.failures
    for action in plan.terminate:
        _terminate(action, ec2, outcome)
    for action in plan.stand_by:
        if _on_shutdown("stop", action, ec2, outcome):
            _tag(action, outcome.standing_by, outcome, ec2.create_tags, {"Key": STANDBY_TAG, "Value": ""})
    for action in plan.stand_down:
        if _on_shutdown("terminate", action, ec2, outcome):
            _tag(action, outcome.stood_down, outcome, ec2.delete_tags, {"Key": STANDBY_TAG})
    _write_tags(plan, observation, ec2, outcome)
    return outcome


def _write_tags(plan: Plan, observation: Observation, ec2: "EC2Client", outcome: Outcome) -> None:
    """What the plan says by tags alone."""
    for action in plan.mark:
        if action.fault is not None:
            tag = {"Key": MARK_TAG, "Value": str(Mark(action.fault, observation.at))}
            _tag(action, outcome.marked, outcome, ec2.create_tags, tag)
    for action in plan.unmark:
        _tag(action, outcome.unmarked, outcome, ec2.delete_tags, {"Key": MARK_TAG})
    for action in plan.keep_warm:
        _tag(action, outcome.kept_warm, outcome, ec2.create_tags, {"Key": WARM_TAG, "Value": ""})
    for action in plan.let_cool:
        _tag(action, outcome.let_cool, outcome, ec2.delete_tags, {"Key": WARM_TAG})
    for action in plan.leave:
        tag = {"Key": LEAVE_TAG, "Value": observation.at.isoformat(timespec="seconds")}
        _tag(action, outcome.sent_away, outcome, ec2.create_tags, tag)


def _start(actions: Sequence[Action], sent_away: set[str], ec2: "EC2Client", outcome: Outcome) -> None:
    """One call for all, since a user waits; it fails as a whole, and then each gets its own.

    Who was sent away before it stood by is not any more: its worker would leave again at once.
    """
    ids = [action.instance for action in actions]
    try:
        if recalled := [identity for identity in ids if identity in sent_away]:
            ec2.delete_tags(Resources=recalled, Tags=[{"Key": LEAVE_TAG}])
        ec2.start_instances(InstanceIds=ids)
    except (ClientError, BotoCoreError) as error:
        if len(actions) > 1:
            for action in actions:
                _start([action], sent_away, ec2, outcome)
        elif (code := error_code(error)) in SHORT_CAPACITY:
            outcome.short.append(f"{code} for {ids[0]}, which stands by")
        else:
            outcome.failures.append(f"start of {ids[0]}: {error}")
        return
    outcome.started += ids


def _terminate(action: Action, ec2: "EC2Client", outcome: Outcome) -> None:
    try:
        ec2.terminate_instances(InstanceIds=[action.instance])
    except (ClientError, BotoCoreError) as error:
        if error_code(error) != _NOT_FOUND:
            outcome.failures.append(f"termination of {action.instance}: {error}")
            return
    outcome.terminated.append(action.instance)


def _on_shutdown(behaviour: str, action: Action, ec2: "EC2Client", outcome: Outcome) -> bool:
    """Say what becomes of an instance that shuts itself down, and whether that worked.

    The tag comes after it: without its tag a stopped instance is terminated by the next evaluation, and an active one
    is told again; with a tag alone it would count as one that stands by, and be gone when it is needed.
    """
    try:
        ec2.modify_instance_attribute(
            InstanceId=action.instance, Attribute="instanceInitiatedShutdownBehavior", Value=behaviour
        )
    except (ClientError, BotoCoreError) as error:
        if error_code(error) != _NOT_FOUND:
            outcome.failures.append(f"shutdown behaviour of {action.instance}: {error}")
        return False
    return True


def _tag(action: Action, done: list[str], outcome: Outcome, call: Any, tag: dict[str, str]) -> None:
    try:
        call(Resources=[action.instance], Tags=[tag])
    except (ClientError, BotoCoreError) as error:
        # An instance that is gone needs no mark.
        if error_code(error) != _NOT_FOUND:
            outcome.failures.append(f"tags of {action.instance}: {error}")
        return
    done.append(action.instance)
