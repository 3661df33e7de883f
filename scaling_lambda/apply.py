"""A plan turned into EC2 calls that can be repeated, overlapped and partly refused without harm."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from scaling_lambda.fleet import MARK_TAG, Mark, Observation
from scaling_lambda.launch import Places, error_code, launch
from scaling_lambda.policy import Action, Plan

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

_NOT_FOUND = "InvalidInstanceID.NotFound"


@dataclass
class Outcome:
    """What happened: ids of instances, and in `failures` what did not work, in words."""

    launched: list[str] = field(default_factory=list)
    terminated: list[str] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)
    unmarked: list[str] = field(default_factory=list)
    # Each refusal for lack of capacity or quota, as "<code> for <type> in <subnet>". Normal, not failures.
    short: list[str] = field(default_factory=list)
    # Launches left to another evaluation that is under way.
    deferred: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def apply(plan: Plan, observation: Observation, ec2: "EC2Client", places: Places) -> Outcome:
    """Do what the plan says. One item that fails does not stop the others; the next evaluation sees it again."""
    outcome = Outcome()
    if plan.launch > 0:
        launched = launch(plan.launch, observation, ec2, places)
        outcome.launched += launched.ids
        outcome.short += launched.short
        outcome.deferred += launched.deferred
        outcome.failures += launched.failures
    for action in plan.terminate:
        _terminate(action, ec2, outcome)
    for action in plan.mark:
        if action.fault is not None:
            tag = {"Key": MARK_TAG, "Value": str(Mark(action.fault, observation.at))}
            _tag(action, outcome.marked, outcome, ec2.create_tags, tag)
    for action in plan.unmark:
        _tag(action, outcome.unmarked, outcome, ec2.delete_tags, {"Key": MARK_TAG})
    return outcome


def _terminate(action: Action, ec2: "EC2Client", outcome: Outcome) -> None:
    try:
        ec2.terminate_instances(InstanceIds=[action.instance])
    except (ClientError, BotoCoreError) as error:
        if error_code(error) != _NOT_FOUND:
            outcome.failures.append(f"termination of {action.instance}: {error}")
            return
    outcome.terminated.append(action.instance)


def _tag(action: Action, done: list[str], outcome: Outcome, call: Any, tag: dict[str, str]) -> None:
    try:
        call(Resources=[action.instance], Tags=[tag])
    except (ClientError, BotoCoreError) as error:
        # An instance that is gone needs no mark.
        if error_code(error) != _NOT_FOUND:
            outcome.failures.append(f"tags of {action.instance}: {error}")
        return
    done.append(action.instance)
