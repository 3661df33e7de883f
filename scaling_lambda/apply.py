"""A plan turned into EC2 calls that can be repeated, overlapped and partly refused without harm.

Launches go through RunInstances rather than CreateFleet: it answers with the instances themselves, it keeps a partial
success (MinCount 1), and its client token is refused when another evaluation has used it with other parameters, which
is what keeps overlapping evaluations below the maximum. Trying the next type or zone is then a loop of our own.
"""

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from scaling_lambda.fleet import MARK_TAG, Mark, Observation, State
from scaling_lambda.policy import Action, Plan

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

# "Not here, not now": the next type or zone may have it, or else the next evaluation.
SHORT_CAPACITY = frozenset(
    {
        "InsufficientAddressCapacity",
        "InsufficientCapacity",
        "InsufficientFreeAddressesInSubnet",
        "InsufficientHostCapacity",
        "InsufficientInstanceCapacity",
        "InsufficientReservedInstanceCapacity",
        "InstanceLimitExceeded",
        "Unsupported",
        "VcpuLimitExceeded",
    }
)
# The token was used with other parameters: by an evaluation that saw the same fleet and wants another number.
_TOKEN_TAKEN = "IdempotentParameterMismatch"  # noqa: S105 - an error code of EC2
# The token was used, and its instances are gone already.
_TOKEN_SPENT = "IdempotentInstanceTerminated"  # noqa: S105 - an error code of EC2
_NOT_FOUND = "InvalidInstanceID.NotFound"
_GONE = frozenset({State.SHUTTING_DOWN, State.TERMINATED})
# EC2 keeps a client token for a day or more after its instances ended, but forgets the instances within about an hour;
# the hour keeps apart the launches from one view of the fleet, an empty one say, that recurs during the day.
_TOKEN_HOUR = "%Y-%m-%dT%H"  # noqa: S105 - a time format
# How often the same view may recur within the hour.
_TOKENS_TO_TRY = 4


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


def apply(
    plan: Plan,
    observation: Observation,
    ec2: "EC2Client",
    *,
    launch_template: str,
    instance_types: Sequence[str] = (),
    subnets: Sequence[str] = (),
) -> Outcome:
    """Do what the plan says. One item that fails does not stop the others; the next evaluation sees it again."""
    outcome = Outcome()
    if plan.launch > 0:
        places = itertools.product(instance_types or (None,), subnets or (None,))
        _launch(plan.launch, observation, ec2, outcome, launch_template=launch_template, places=places)
    for action in plan.terminate:
        _terminate(action, ec2, outcome)
    for action in plan.mark:
        if action.fault is not None:
            tag = {"Key": MARK_TAG, "Value": str(Mark(action.fault, observation.at))}
            _tag(action, outcome.marked, outcome, ec2.create_tags, tag)
    for action in plan.unmark:
        _tag(action, outcome.unmarked, outcome, ec2.delete_tags, {"Key": MARK_TAG})
    return outcome


def client_token(instance_ids: Iterable[str], at: datetime, attempt: int = 0) -> str:
    """The idempotency token of a launch on top of these instances, which must include those already terminated.

    Equal views of the fleet give equal tokens, whatever number each evaluation wants: the second to come gets the
    first one's instances back, or is refused. Each launch changes the view, and with it the token.
    """
    view = "\n".join([at.strftime(_TOKEN_HOUR), str(attempt), *sorted(instance_ids)])
    return hashlib.sha256(view.encode()).hexdigest()


def _launch(
    wanted: int,
    observation: Observation,
    ec2: "EC2Client",
    outcome: Outcome,
    *,
    launch_template: str,
    places: Iterable[tuple[str | None, str | None]],
) -> None:
    known = {instance.id for instance in observation.instances}
    for instance_type, subnet in places:
        request: dict[str, Any] = {
            "LaunchTemplate": {"LaunchTemplateName": launch_template, "Version": "$Latest"},
            # MinCount = MaxCount would get nothing where a quota or a zone has room for a part of it.
            "MinCount": 1,
            "MaxCount": wanted - len(outcome.launched),
        }
        if instance_type is not None:
            request["InstanceType"] = instance_type
        if subnet is not None:
            request["SubnetId"] = subnet
        try:
            got = _run(ec2, request, known, observation.at)
        except (ClientError, BotoCoreError) as error:
            code = _code(error)
            if code in SHORT_CAPACITY:
                outcome.short.append(f"{code} for {instance_type or 'the template'} in {subnet or 'any zone'}")
                continue
            if code == _TOKEN_TAKEN:
                outcome.deferred.append(f"launch of {request['MaxCount']}: another evaluation is launching already")
            else:
                outcome.failures.append(f"launch of {request['MaxCount']}: {error}")
            return
        outcome.launched += got
        known |= set(got)
        if len(outcome.launched) >= wanted:
            return


def _run(ec2: "EC2Client", request: dict[str, Any], known: set[str], at: datetime) -> list[str]:
    """The ids of the instances launched by this request, or launched by the one that came first with its token."""
    for attempt in range(_TOKENS_TO_TRY):
        token = client_token(known, at, attempt)
        try:
            answer = ec2.run_instances(**request, ClientToken=token)
        except ClientError as error:
            if _code(error) != _TOKEN_SPENT or attempt == _TOKENS_TO_TRY - 1:
                raise
            continue
        living = [i["InstanceId"] for i in answer["Instances"] if State(i["State"]["Name"]) not in _GONE]
        if living:
            return living
    return []


def _terminate(action: Action, ec2: "EC2Client", outcome: Outcome) -> None:
    try:
        ec2.terminate_instances(InstanceIds=[action.instance])
    except (ClientError, BotoCoreError) as error:
        if _code(error) != _NOT_FOUND:
            outcome.failures.append(f"termination of {action.instance}: {error}")
            return
    outcome.terminated.append(action.instance)


def _tag(action: Action, done: list[str], outcome: Outcome, call: Any, tag: dict[str, str]) -> None:
    try:
        call(Resources=[action.instance], Tags=[tag])
    except (ClientError, BotoCoreError) as error:
        # An instance that is gone needs no mark.
        if _code(error) != _NOT_FOUND:
            outcome.failures.append(f"tags of {action.instance}: {error}")
        return
    done.append(action.instance)


def _code(error: Exception) -> str:
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
