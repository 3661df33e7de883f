"""Plans carried out: partial successes kept, capacity taken where it is, one failure never stopping the rest."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from scaling_lambda.apply import apply
from scaling_lambda.fleet import LEAVE_TAG, WARM_TAG, Action, Counts, Fault, Instance, Mark, Observation, State
from scaling_lambda.launch import Launcher, Places
from scaling_lambda.policy import Plan

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
PLACES = Places("novatest-worker", "novatest")
TWO_TYPES = replace(PLACES, instance_types=("c6i.large", "c5.large"))
SPOT = replace(TWO_TYPES, spot=True)
NOTHING = Plan(want=0, have=0, launch=0, reason="")


def seen(*ids: str, at: datetime = NOW) -> Observation:
    return Observation(at, Counts(1, 0, 0), tuple(Instance(i, State.RUNNING, NOW) for i in ids))


def plan(launch: int = 0, **actions: tuple[Action, ...]) -> Plan:
    return Plan(want=launch, have=0, launch=launch, reason="the test says so", **actions)


def tags_of(ec2: Any, identity: str) -> dict[str, str]:
    (reservation,) = ec2.describe_instances(InstanceIds=[identity])["Reservations"]
    return {tag["Key"]: tag["Value"] for tag in reservation["Instances"][0].get("Tags", [])}


def test_one_call_asks_for_all_and_accepts_any_part_of_it(ec2: Any, refuse: Callable[..., list[Any]]) -> None:
    calls = refuse("RunInstances")
    outcome = apply(plan(launch=12), seen(), ec2, Launcher(ec2, PLACES))
    assert (calls[0]["MinCount"], calls[0]["MaxCount"]) == (1, 12)
    assert calls[0]["LaunchTemplate"] == {"LaunchTemplateName": "novatest-worker", "Version": "$Latest"}
    # moto launches MinCount: a partial success, which is kept and not taken for a failure.
    assert len(outcome.launched) == 1
    assert outcome.failures == []


def test_a_launched_instance_carries_its_tags_from_the_first_moment(ec2: Any) -> None:
    # boto3 2556: tagging after the launch failed with InvalidInstanceID.NotFound.
    (identity,) = apply(plan(launch=1), seen(), ec2, Launcher(ec2, PLACES)).launched
    assert {"Name": "app-tier-instance", "novaburst:fleet": "novatest"}.items() <= tags_of(ec2, identity).items()


def test_the_rest_of_a_partial_launch_is_asked_for_in_the_next_place(
    ec2: Any, refuse: Callable[..., list[Any]]
) -> None:
    calls = refuse("RunInstances")
    outcome = apply(plan(launch=3), seen(), ec2, Launcher(ec2, TWO_TYPES))
    assert [(call["InstanceType"], call["MaxCount"]) for call in calls] == [("c6i.large", 3), ("c5.large", 2)]
    assert len(outcome.launched) == 2
    assert calls[0]["ClientToken"] != calls[1]["ClientToken"]


@pytest.mark.parametrize("code", ["InsufficientInstanceCapacity", "VcpuLimitExceeded", "InstanceLimitExceeded"])
def test_a_short_capacity_tries_the_next_type_and_zone(ec2: Any, refuse: Callable[..., list[Any]], code: str) -> None:
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]
    calls = refuse("RunInstances", code, code, code)
    outcome = apply(
        plan(launch=1),
        seen(),
        ec2,
        Launcher(ec2, replace(TWO_TYPES, subnets=subnets)),
    )
    assert [(call["InstanceType"], call["SubnetId"]) for call in calls] == [
        ("c6i.large", subnets[0]),
        ("c6i.large", subnets[1]),
        ("c5.large", subnets[0]),
        ("c5.large", subnets[1]),
    ]
    assert len(outcome.launched) == 1
    assert len(outcome.short) == 3
    assert outcome.failures == []


def test_no_capacity_anywhere_is_left_to_the_next_evaluation_and_is_no_failure(
    ec2: Any, refuse: Callable[..., list[Any]]
) -> None:
    refuse("RunInstances", "InsufficientInstanceCapacity")
    outcome = apply(plan(launch=4), seen(), ec2, Launcher(ec2, PLACES))
    assert outcome.launched == outcome.failures == []
    assert outcome.short == ["InsufficientInstanceCapacity for the template in any zone"]


def markets(calls: list[Any]) -> list[tuple[str, int, str]]:
    return [
        (call["InstanceType"], call["MaxCount"], call.get("InstanceMarketOptions", {}).get("MarketType", "on demand"))
        for call in calls
    ]


def test_spot_is_tried_everywhere_before_anything_is_taken_on_demand(
    ec2: Any, refuse: Callable[..., list[Any]]
) -> None:
    calls = refuse("RunInstances", "InsufficientInstanceCapacity", None, "MaxSpotInstanceCountExceeded")
    places = replace(SPOT, instance_types=("c6i.large", "c5.large", "c7i.large"))
    outcome = apply(plan(launch=3), seen(), ec2, Launcher(ec2, places))
    assert markets(calls) == [
        ("c6i.large", 3, "spot"),
        ("c5.large", 3, "spot"),
        ("c7i.large", 2, "spot"),
        ("c6i.large", 2, "on demand"),
        ("c5.large", 1, "on demand"),
    ]
    assert len(outcome.launched) == 3
    assert outcome.short == [
        "InsufficientInstanceCapacity for spot c6i.large in any zone",
        "MaxSpotInstanceCountExceeded for spot c7i.large in any zone",
    ]
    assert outcome.failures == []


def test_an_interrupted_spot_instance_is_terminated_since_a_stopped_one_would_be_billed_on(
    ec2: Any, refuse: Callable[..., list[Any]]
) -> None:
    calls = refuse("RunInstances")
    apply(plan(launch=1), seen(), ec2, Launcher(ec2, SPOT))
    options = calls[0]["InstanceMarketOptions"]["SpotOptions"]
    assert options == {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}


def test_an_account_that_may_not_use_spot_gets_its_workers_on_demand_and_is_told(
    ec2: Any, refuse: Callable[..., list[Any]]
) -> None:
    calls = refuse("RunInstances", "AuthFailure.ServiceLinkedRoleCreationNotPermitted")
    outcome = apply(plan(launch=1), seen(), ec2, Launcher(ec2, SPOT))
    assert markets(calls) == [("c6i.large", 1, "spot"), ("c6i.large", 1, "on demand")]
    assert len(outcome.launched) == 1
    assert "ServiceLinkedRole" in outcome.failures[0]


def test_without_spot_nothing_is_said_about_markets(ec2: Any, refuse: Callable[..., list[Any]]) -> None:
    calls = refuse("RunInstances")
    apply(plan(launch=1), seen(), ec2, Launcher(ec2, TWO_TYPES))
    assert "InstanceMarketOptions" not in calls[0]


def test_a_token_used_with_another_number_leaves_the_launch_to_that_evaluation(
    ec2: Any, refuse: Callable[..., list[Any]]
) -> None:
    calls = refuse("RunInstances", "IdempotentParameterMismatch")
    outcome = apply(plan(launch=4), seen(), ec2, Launcher(ec2, TWO_TYPES))
    # The next type would be a second launch beside the other evaluation's.
    assert len(calls) == 1
    assert outcome.launched == outcome.failures == []
    assert len(outcome.deferred) == 1


def test_a_token_whose_instances_are_gone_is_followed_by_the_next(ec2: Any, refuse: Callable[..., list[Any]]) -> None:
    calls = refuse("RunInstances", "IdempotentInstanceTerminated")
    outcome = apply(plan(launch=1), seen(), ec2, Launcher(ec2, PLACES))
    assert len({call["ClientToken"] for call in calls}) == len(calls) == 2
    assert len(outcome.launched) == 1


def test_an_unknown_refusal_is_reported_and_does_not_stop_the_rest(
    ec2: Any, refuse: Callable[..., list[Any]], launch: Callable[..., list[str]]
) -> None:
    (idle,) = launch(1)
    refuse("RunInstances", "UnauthorizedOperation")
    outcome = apply(plan(launch=1, terminate=(Action(idle, "idle"),)), seen(idle), ec2, Launcher(ec2, PLACES))
    assert "UnauthorizedOperation" in outcome.failures[0]
    assert outcome.terminated == [idle]


def test_one_failed_termination_does_not_abort_the_pass(
    ec2: Any, refuse: Callable[..., list[Any]], launch: Callable[..., list[str]]
) -> None:
    # github-aws-runners 4786.
    first, second = launch(2)
    refuse("TerminateInstances", "InternalError")
    outcome = apply(plan(terminate=(Action(first, "idle"), Action(second, "idle"))), seen(), ec2, Launcher(ec2, PLACES))
    assert outcome.terminated == [second]
    assert first in outcome.failures[0]


def test_an_instance_that_is_gone_already_counts_as_ended(ec2: Any) -> None:
    gone = "i-0123456789abcdef0"
    outcome = apply(
        plan(terminate=(Action(gone, "idle"),), mark=(Action(gone, "idle", Fault.IDLE),), unmark=(Action(gone, ""),)),
        seen(),
        ec2,
        PLACES,
    )
    assert outcome.terminated == [gone]
    assert outcome.failures == []


def test_marks_are_written_with_the_time_of_the_sighting_and_taken_back(
    ec2: Any, launch: Callable[..., list[str]]
) -> None:
    (identity,) = launch(1)
    apply(plan(mark=(Action(identity, "idle", Fault.IDLE),)), seen(), ec2, Launcher(ec2, PLACES))
    assert Mark.parse(tags_of(ec2, identity)["novaburst:marked"]) == Mark(Fault.IDLE, NOW)
    apply(plan(unmark=(Action(identity, "recovered"),)), seen(), ec2, Launcher(ec2, PLACES))
    assert "novaburst:marked" not in tags_of(ec2, identity)


@pytest.fixture
def stopped(ec2: Any, launch: Callable[..., list[str]]) -> list[str]:
    """Three instances that stand by."""
    identities = launch(3)
    ec2.stop_instances(InstanceIds=identities)
    return identities


def start(identities: list[str]) -> tuple[Action, ...]:
    return tuple(Action(identity, "it stands by") for identity in identities)


def state_of(ec2: Any, identity: str) -> str:
    (reservation,) = ec2.describe_instances(InstanceIds=[identity])["Reservations"]
    return str(reservation["Instances"][0]["State"]["Name"])


def test_all_that_stand_by_are_started_in_one_call(
    ec2: Any, refuse: Callable[..., list[Any]], stopped: list[str]
) -> None:
    calls = refuse("StartInstances")
    outcome = apply(plan(start=start(stopped)), seen(*stopped), ec2, Launcher(ec2, PLACES))
    assert calls == [{"InstanceIds": stopped}]
    assert outcome.started == stopped
    assert outcome.launched == []
    assert {state_of(ec2, identity) for identity in stopped} == {"running"}


def test_one_that_does_not_start_is_replaced_by_a_new_one_at_once_and_the_others_start(
    ec2: Any, refuse: Callable[..., list[Any]], stopped: list[str]
) -> None:
    refuse("StartInstances", "InsufficientInstanceCapacity", None, "InsufficientInstanceCapacity", "IncorrectState")
    launches = refuse("RunInstances")
    outcome = apply(plan(launch=2, start=start(stopped)), seen(*stopped), ec2, Launcher(ec2, PLACES))
    assert outcome.started == [stopped[0]]
    assert launches[0]["MaxCount"] == 4
    assert outcome.short == [f"InsufficientInstanceCapacity for {stopped[1]}, which stands by"]
    assert stopped[2] in outcome.failures[0]


def shutdown_behaviour(ec2: Any, identity: str) -> str:
    answer = ec2.describe_instance_attribute(InstanceId=identity, Attribute="instanceInitiatedShutdownBehavior")
    return str(answer["InstanceInitiatedShutdownBehavior"]["Value"])


def test_a_chosen_worker_stops_when_it_is_idle_and_one_that_is_released_ends(
    ec2: Any, launch: Callable[..., list[str]]
) -> None:
    (identity,) = launch(1)
    told = (Action(identity, "0 of 1 stand by"),)
    assert apply(plan(stand_by=told), seen(), ec2, Launcher(ec2, PLACES)).standing_by == [identity]
    assert shutdown_behaviour(ec2, identity) == "stop"
    assert "novaburst:standby" in tags_of(ec2, identity)
    assert apply(plan(stand_down=told), seen(), ec2, Launcher(ec2, PLACES)).stood_down == [identity]
    assert shutdown_behaviour(ec2, identity) == "terminate"
    assert "novaburst:standby" not in tags_of(ec2, identity)


def test_one_whose_behaviour_could_not_be_set_is_not_called_chosen(
    ec2: Any, refuse: Callable[..., list[Any]], launch: Callable[..., list[str]]
) -> None:
    first, second = launch(2)
    refuse("ModifyInstanceAttribute", "InternalError")
    outcome = apply(plan(stand_by=(Action(first, ""), Action(second, ""))), seen(), ec2, Launcher(ec2, PLACES))
    assert outcome.standing_by == [second]
    assert "novaburst:standby" not in tags_of(ec2, first)
    assert first in outcome.failures[0]


def test_the_warm_ones_are_told_by_a_tag_that_their_metadata_can_hold(
    ec2: Any, launch: Callable[..., list[str]]
) -> None:
    (identity,) = launch(1)
    told = (Action(identity, "it stays warm"),)
    assert apply(plan(keep_warm=told), seen(), ec2, Launcher(ec2, PLACES)).kept_warm == [identity]
    # EC2 refuses launches with other characters in a tag's key once metadata shows tags.
    assert re.fullmatch(r"[A-Za-z0-9+\-=.,_:@]+", WARM_TAG)
    assert WARM_TAG in tags_of(ec2, identity)
    assert apply(plan(let_cool=told), seen(), ec2, Launcher(ec2, PLACES)).let_cool == [identity]
    assert WARM_TAG not in tags_of(ec2, identity)


def test_who_is_sent_away_is_told_by_a_tag_that_its_metadata_can_hold_with_the_moment(
    ec2: Any, launch: Callable[..., list[str]]
) -> None:
    (identity,) = launch(1)
    outcome = apply(plan(leave=(Action(identity, "a stream does not need it"),)), seen(), ec2, Launcher(ec2, PLACES))
    assert (outcome.sent_away, outcome.failures) == ([identity], [])
    assert re.fullmatch(r"[A-Za-z0-9+\-=.,_:@]+", LEAVE_TAG)
    read = Instance.from_tags(identity, State.RUNNING, NOW, tags_of(ec2, identity))
    assert (read.sent_away, read.leaving) == (NOW, True)


def test_one_that_was_sent_away_and_then_stood_by_is_called_back_before_it_starts(
    ec2: Any, launch: Callable[..., list[str]]
) -> None:
    (identity,) = launch(1)
    told = (Action(identity, ""),)
    apply(plan(leave=told), seen(), ec2, Launcher(ec2, PLACES))
    ec2.stop_instances(InstanceIds=[identity])
    stopped = replace(seen(identity).instances[0], state=State.STOPPED, standby=True, sent_away=NOW)
    outcome = apply(plan(start=told), replace(seen(), instances=(stopped,)), ec2, Launcher(ec2, PLACES))
    assert outcome.started == [identity]
    assert LEAVE_TAG not in tags_of(ec2, identity)


def test_an_empty_plan_calls_nothing(ec2: Any, refuse: Callable[..., list[Any]]) -> None:
    calls = [refuse(name) for name in ("RunInstances", "TerminateInstances", "CreateTags", "DeleteTags")]
    apply(NOTHING, seen("i-1"), ec2, Launcher(ec2, PLACES))
    assert calls == [[], [], [], []]
