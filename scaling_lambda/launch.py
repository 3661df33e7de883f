"""Launching instances: wherever there is room, cheapest market first, and never twice for one view of the fleet.

Launches go through RunInstances rather than CreateFleet: it answers with the instances themselves, it keeps a partial
success (MinCount 1), and its client token is refused when another evaluation has used it with other parameters, which
is what keeps overlapping evaluations below the maximum. Trying the next type or zone is then a loop of our own.
"""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from scaling_lambda.fleet import FLEET_TAG, SIZE_TAG, Observation, State

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
        "MaxSpotInstanceCountExceeded",
        "SpotMaxPriceTooLow",
        "Unsupported",
        "VcpuLimitExceeded",
    }
)
# The account has never used spot, and the Lambda may not make the role for it (docs/runbook.md).
_NO_SPOT_ROLE = "AuthFailure.ServiceLinkedRoleCreationNotPermitted"
# The token was used with other parameters: by an evaluation that saw the same fleet and wants another number.
_TOKEN_TAKEN = "IdempotentParameterMismatch"  # noqa: S105 - an error code of EC2
# The token was used, and its instances are gone already.
_TOKEN_SPENT = "IdempotentInstanceTerminated"  # noqa: S105 - an error code of EC2
_GONE = frozenset({State.SHUTTING_DOWN, State.TERMINATED})
# EC2 keeps a client token for a day or more after its instances ended, but forgets the instances within about an hour;
# the hour keeps apart the launches from one view of the fleet, an empty one say, that recurs during the day.
_TOKEN_HOUR = "%Y-%m-%dT%H"  # noqa: S105 - a time format
# How often the same view may recur within the hour.
_TOKENS_TO_TRY = 4
# What people find the workers by in the console.
INSTANCE_NAME = "app-tier-instance"
# Interrupted ones are terminated, not stopped: a one-time request's instance cannot be started again.
_SPOT = {
    "MarketType": "spot",
    "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"},
}


@dataclass(frozen=True)
class Places:
    """Where and how instances may be launched, in the order of preference; an empty list leaves it to the template."""

    launch_template: str
    fleet: str
    instance_types: Sequence[str] = ()
    subnets: Sequence[str] = ()
    # Spot in every place first, since another place's spot is cheaper than on demand in this one.
    spot: bool = False


@dataclass
class Launched:
    """Ids of instances, and what did not work, in words: lack of capacity, another's launch, and true failures."""

    ids: list[str] = field(default_factory=list)
    short: list[str] = field(default_factory=list)
    deferred: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Place:
    instance_type: str | None
    subnet: str | None
    spot: bool

    def __str__(self) -> str:
        where = f"{self.instance_type or 'the template'} in {self.subnet or 'any zone'}"
        return f"spot {where}" if self.spot else where

    def request(self, places: Places, count: int, known: int) -> dict[str, Any]:
        # The launch template has the first two as well. EC2's documentation leaves open whether a request's tags join
        # the template's or replace them, and an instance without them would be nobody's.
        tags = {"Name": INSTANCE_NAME, FLEET_TAG: places.fleet}
        request: dict[str, Any] = {
            "LaunchTemplate": {"LaunchTemplateName": places.launch_template, "Version": "$Latest"},
            "TagSpecifications": [
                _tags("instance", {**tags, SIZE_TAG: str(known + count)}),
                _tags("volume", tags),
            ],
            # MinCount = MaxCount would get nothing where a quota or a zone has room for a part of it.
            "MinCount": 1,
            "MaxCount": count,
        }
        if self.instance_type is not None:
            request["InstanceType"] = self.instance_type
        if self.subnet is not None:
            request["SubnetId"] = self.subnet
        if self.spot:
            request["InstanceMarketOptions"] = _SPOT
        return request


def launch(wanted: int, observation: Observation, ec2: "EC2Client", places: Places) -> Launched:
    """Launch as many of `wanted` as there is room for; what is missing is left to the next evaluation."""
    result = Launched()
    known = {instance.id for instance in observation.instances}
    spot_is_allowed = True
    for place in _in_order(places):
        missing = wanted - len(result.ids)
        if missing <= 0:
            break
        if place.spot and not spot_is_allowed:
            continue
        try:
            got = _run(ec2, place.request(places, missing, len(known)), known, observation.at)
        except (ClientError, BotoCoreError) as error:
            code = error_code(error)
            if code in SHORT_CAPACITY:
                result.short.append(f"{code} for {place}")
                continue
            if code == _NO_SPOT_ROLE:
                result.failures.append(f"launch of {missing} as {place}: {error}")
                spot_is_allowed = False
                continue
            if code == _TOKEN_TAKEN:
                result.deferred.append(f"launch of {missing}: another evaluation is launching already")
            else:
                result.failures.append(f"launch of {missing}: {error}")
            break
        result.ids += got
        known |= set(got)
    return result


def client_token(instance_ids: Iterable[str], at: datetime, attempt: int = 0) -> str:
    """The idempotency token of a launch on top of these instances, which must include those already terminated.

    Equal views of the fleet give equal tokens, whatever number each evaluation wants: the second to come gets the
    first one's instances back, or is refused. Each launch changes the view, and with it the token.
    """
    view = "\n".join([at.strftime(_TOKEN_HOUR), str(attempt), *sorted(instance_ids)])
    return hashlib.sha256(view.encode()).hexdigest()


def error_code(error: Exception) -> str:
    """AWS's code for what went wrong; empty where no answer came."""
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""


def _tags(resource: str, tags: Mapping[str, str]) -> dict[str, Any]:
    return {"ResourceType": resource, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _in_order(places: Places) -> Iterator[_Place]:
    for spot in (True, False) if places.spot else (False,):
        for instance_type, subnet in itertools.product(places.instance_types or (None,), places.subnets or (None,)):
            yield _Place(instance_type, subnet, spot)


def _run(ec2: "EC2Client", request: dict[str, Any], known: set[str], at: datetime) -> list[str]:
    """The ids of the instances launched by this request, or launched by the one that came first with its token."""
    for attempt in range(_TOKENS_TO_TRY):
        token = client_token(known, at, attempt)
        try:
            answer = ec2.run_instances(**request, ClientToken=token)
        except ClientError as error:
            if error_code(error) != _TOKEN_SPENT or attempt == _TOKENS_TO_TRY - 1:
                raise
            continue
        living = [i["InstanceId"] for i in answer["Instances"] if State(i["State"]["Name"]) not in _GONE]
        if living:
            return living
    return []
