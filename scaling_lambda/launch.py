"""Launching instances: wherever there is room, cheapest market first, and never twice for one view of the fleet.

Launches go through RunInstances rather than CreateFleet: it answers with the instances themselves, it keeps a partial
success (MinCount 1), and its client token is refused when another evaluation has used it with other parameters, which
is what keeps overlapping evaluations below the maximum. Trying the next type or zone is then a loop of our own.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from scaling_lambda.fleet import FLEET_TAG, SIZE_TAG, Observation, State
from scaling_lambda.tokens import Tokens

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
# This type or subnet is wrong, or not allowed here: nothing was launched, and the others may well be right.
_WRONG_PLACE = frozenset(
    {
        "InvalidInstanceType",
        "InvalidParameterCombination",
        "InvalidParameterValue",
        "InvalidSubnet",
        "InvalidSubnetID.NotFound",
        "UnauthorizedOperation",
        "UnsupportedOperation",
    }
)
# The account has never used spot, and the Lambda may not make the role for it (docs/runbook.md).
_NO_SPOT_ROLE = "AuthFailure.ServiceLinkedRoleCreationNotPermitted"
# The token was used with other parameters: by an evaluation that saw the same fleet and wants another number.
_TOKEN_TAKEN = "IdempotentParameterMismatch"  # noqa: S105 - an error code of EC2
# The token was used, and its instances are gone already.
_TOKEN_SPENT = "IdempotentInstanceTerminated"  # noqa: S105 - an error code of EC2
_GONE = frozenset({State.SHUTTING_DOWN, State.TERMINATED})
# How often the same view may recur within the hour.
_TOKENS_TO_TRY = 4
# So long may one launch ask place after place: the rest of an evaluation, and the Lambda's next looks, wait for it.
_SECONDS = 8.0
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


class Launcher:
    """Launches for one fleet. One place after the other is asked, each once: the next place, or look, is the retry.

    Kept between evaluations, it knows what the last ones were refused.
    """

    def __init__(self, ec2: "EC2Client", places: Places, clock: Callable[[], float] = time.monotonic) -> None:
        self._ec2 = ec2
        self._places = places
        self._clock = clock
        self._tokens = Tokens()
        # Where the last launch ran out of time, and the next one begins.
        self._begin = 0

    def launch(self, wanted: int, observation: Observation) -> Launched:
        """Launch as many of `wanted` as there is room for; what is missing is left to the next evaluation."""
        result = Launched()
        known = {instance.id for instance in observation.instances}
        spot_is_allowed, end = True, self._clock() + _SECONDS
        places = list(_in_order(self._places))
        begin, self._begin = self._begin, 0
        for number, place in enumerate(places[begin:] + places[:begin], start=begin):
            missing = wanted - len(result.ids)
            if missing <= 0:
                break
            if self._clock() >= end:
                self._begin = number % len(places)
                break
            if place.spot and not spot_is_allowed:
                continue
            try:
                got = self._run(place, missing, known, observation.at)
            except (ClientError, BotoCoreError) as error:
                code = error_code(error)
                if code in SHORT_CAPACITY:
                    result.short.append(f"{code} for {place}")
                    continue
                if code == _NO_SPOT_ROLE:
                    result.failures.append(f"launch of {missing} as {place}: {error}")
                    spot_is_allowed = False
                    continue
                if code in _WRONG_PLACE:
                    result.failures.append(f"launch of {missing} as {place}: {error}")
                    continue
                if code == _TOKEN_TAKEN:
                    result.deferred.append(f"launch of {missing}: another evaluation is launching already")
                else:
                    result.failures.append(f"launch of {missing}: {error}")
                break
            result.ids += got
            known |= set(got)
        return result

    def _run(self, place: _Place, count: int, known: set[str], at: datetime) -> list[str]:
        """The ids of the instances launched there, or launched by the evaluation that came first with the token."""
        request = place.request(self._places, count, len(known))
        for attempt in range(_TOKENS_TO_TRY):
            token = self._tokens.token(str(place), known, at, attempt)
            try:
                answer = self._ec2.run_instances(**request, ClientToken=token)
            except ClientError as error:
                code = error_code(error)
                if code in SHORT_CAPACITY:
                    self._tokens.refused(token, at)
                elif code == _TOKEN_TAKEN:
                    self._tokens.taken(token, at)
                if code != _TOKEN_SPENT or attempt == _TOKENS_TO_TRY - 1:
                    raise
                continue
            living = [i["InstanceId"] for i in answer["Instances"] if State(i["State"]["Name"]) not in _GONE]
            if living:
                return living
        return []


def retry_no_shortage(ec2: "EC2Client") -> None:
    """Have the client raise a lack of capacity at once. EC2 calls it a fault of its own, which botocore would retry."""

    def raise_it(response: tuple[object, dict[str, Any]] | None, operation: Any, **_: object) -> None:
        parsed = response[1] if response else {}
        if parsed.get("Error", {}).get("Code") in SHORT_CAPACITY:
            raise ClientError(parsed, operation.name)  # type: ignore[arg-type] # as botocore itself does

    for name in ("RunInstances", "StartInstances"):
        ec2.meta.events.register(f"needs-retry.ec2.{name}", raise_it)


def error_code(error: Exception) -> str:
    """AWS's code for what went wrong; empty where no answer came."""
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""


def _tags(resource: str, tags: Mapping[str, str]) -> dict[str, Any]:
    return {"ResourceType": resource, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _in_order(places: Places) -> Iterator[_Place]:
    for spot in (True, False) if places.spot else (False,):
        for instance_type, subnet in itertools.product(places.instance_types or (None,), places.subnets or (None,)):
            yield _Place(instance_type, subnet, spot)
