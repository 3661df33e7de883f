"""Launches that EC2 has no room for: the next place or look gets what is missing, and nothing is made twice."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from novaburst.aws import config
from scaling_lambda.apply import Outcome, apply
from scaling_lambda.fleet import VIEW_SETTLES, Counts, Observation
from scaling_lambda.launch import Launcher, Places, retry_no_shortage
from scaling_lambda.observe import Observer
from scaling_lambda.policy import decide
from scaling_lambda.tokens import Tokens
from tests.unit.scaling_lambda.observations import LIMITS, NOW

PLACES = Places("worker", "fleet")
SPOT = replace(PLACES, instance_types=("c6i.large", "c5.large"), spot=True)
LOOK_SECONDS = 5.0


def look(ec2: Any, launcher: Launcher, visible: int) -> Outcome:
    fleet = Observer(None, ec2, "queue", "fleet").instances()  # type: ignore[arg-type] # the model's own EC2
    observation = Observation(ec2.moment(), Counts(visible, 0, 0), fleet)
    return apply(decide(observation, LIMITS), observation, ec2, launcher)


def test_a_launch_is_made_on_demand_when_there_is_no_spot_at_all(new_ec2: Any) -> None:
    ec2 = new_ec2()
    launch: Callable[..., Any] = ec2.run_instances

    def without_spot(**request: Any) -> Any:
        ec2.is_short = lambda: "InstanceMarketOptions" in request
        return launch(**request)

    ec2.run_instances = without_spot
    outcome = look(ec2, Launcher(ec2, SPOT), visible=10)
    assert len(outcome.launched) == 2
    assert len(outcome.short) == 2
    assert outcome.deferred == outcome.failures == []


@pytest.mark.parametrize("code", ["InvalidSubnetID.NotFound", "InvalidParameterValue", "UnauthorizedOperation"])
def test_a_place_that_is_wrong_is_reported_and_the_next_one_launches(new_ec2: Any, code: str) -> None:
    # One deleted subnet of several kept the fleet at zero for good.
    ec2 = new_ec2()
    launch: Callable[..., Any] = ec2.run_instances

    def without_the_first(**request: Any) -> Any:
        if request["SubnetId"] == "subnet-a":
            raise ClientError({"Error": {"Code": code, "Message": "not this one"}}, "RunInstances")
        return launch(**request)

    ec2.run_instances = without_the_first
    outcome = look(ec2, Launcher(ec2, replace(PLACES, subnets=("subnet-a", "subnet-b"))), visible=15)
    assert len(outcome.launched) == 3
    assert [code in failure and "subnet-a" in failure for failure in outcome.failures] == [True]


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "InternalError"])
def test_a_refusal_of_no_place_ends_the_launch(new_ec2: Any, code: str) -> None:
    ec2 = new_ec2()
    calls = []

    def refuse(**request: Any) -> Any:
        calls.append(request)
        raise ClientError({"Error": {"Code": code, "Message": "not now"}}, "RunInstances")

    ec2.run_instances = refuse
    outcome = look(ec2, Launcher(ec2, SPOT), visible=15)
    assert (len(calls), len(outcome.failures)) == (1, 1)


@pytest.mark.parametrize("same_process", [True, False])
def test_a_launch_of_more_than_was_refused_is_made_soon_after_there_is_capacity(
    new_ec2: Any, same_process: bool
) -> None:
    ec2 = new_ec2()
    launcher = Launcher(ec2, PLACES)
    ec2.is_short = lambda: True
    assert look(ec2, launcher, visible=5).short
    ec2.is_short = lambda: False
    if not same_process:
        launcher = Launcher(ec2, PLACES)
    waited = 0.0
    while not (outcome := look(ec2, launcher, visible=15)).launched:
        # As far as it can be known yet, another evaluation is launching.
        assert outcome.deferred
        ec2.now += LOOK_SECONDS
        waited += LOOK_SECONDS
    assert len(outcome.launched) == 3
    assert waited <= (0 if same_process else VIEW_SETTLES.total_seconds() + LOOK_SECONDS)


@given(
    short=st.lists(st.booleans(), min_size=30, max_size=30),
    backlogs=st.lists(st.integers(1, 500), min_size=30, max_size=30),
    lags=st.lists(st.floats(0, 8), min_size=30, max_size=30),
    seconds=st.lists(st.floats(0, 5), min_size=30, max_size=30),
)
def test_two_processes_that_learn_of_shortages_apart_are_back_at_the_maximum_once_they_see_it(
    new_ec2: Any, short: list[bool], backlogs: list[int], lags: list[float], seconds: list[float]
) -> None:
    ec2 = new_ec2()
    launchers = [Launcher(ec2, SPOT), Launcher(ec2, SPOT)]
    for number, (is_short, backlog, lag, second) in enumerate(zip(short, backlogs, lags, seconds, strict=True)):
        ec2.is_short = lambda is_short=is_short: is_short
        ec2.lag = lag
        ec2.now += second
        look(ec2, launchers[number % 2], backlog)
        assert len(ec2.active()) <= 2 * LIMITS.maximum
    ec2.lag = 0.0
    for launcher in launchers:
        ec2.now += VIEW_SETTLES.total_seconds()
        look(ec2, launcher, visible=500)
    assert len(ec2.active()) <= LIMITS.maximum


def test_a_look_that_ran_out_of_time_is_continued_by_the_next_one(new_ec2: Any) -> None:
    ec2 = new_ec2()
    asked: list[str] = []
    launch: Callable[..., Any] = ec2.run_instances
    passed = 0.0

    def slowly(**request: Any) -> Any:
        nonlocal passed
        passed += 3
        asked.append(request["InstanceType"])
        return launch(**request)

    ec2.run_instances, ec2.is_short = slowly, lambda: True
    types = tuple("abcde")
    launcher = Launcher(ec2, replace(PLACES, instance_types=types), clock=lambda: passed)
    for _ in range(4):
        assert look(ec2, launcher, visible=5).failures == []
        ec2.now += LOOK_SECONDS
    assert "".join(asked) == "abc" + "dea" + "bcd" + "eab"


def test_tokens_are_the_view_s_in_each_place_whatever_number_is_wanted() -> None:
    tokens = Tokens()
    first = tokens.token("here", ["i-2", "i-1"], NOW)
    assert first == Tokens().token("here", ["i-1", "i-2"], NOW + timedelta(minutes=5))
    others = [
        tokens.token("there", ["i-1", "i-2"], NOW),
        tokens.token("here", ["i-1"], NOW),
        tokens.token("here", ["i-1", "i-2"], NOW, attempt=1),
        tokens.token("here", ["i-1", "i-2"], NOW + timedelta(hours=1)),
    ]
    assert len({first, *others}) == 5
    # EC2 takes 64 characters at the most.
    assert {len(token) for token in (first, *others)} == {64}


def test_those_who_know_that_a_token_is_spent_share_the_next_one() -> None:
    knowing = [Tokens(), Tokens()]
    spent = knowing[0].token("here", [], NOW)
    for tokens in knowing:
        tokens.refused(spent, NOW)
    ((second,),) = ({tokens.token("here", [], NOW + timedelta(seconds=1)) for tokens in knowing},)
    assert second != spent
    later = {tokens.token("here", [], NOW + VIEW_SETTLES) for tokens in knowing}
    assert len(later) == 1
    assert not later & {spent, second}


def test_botocore_repeats_what_may_pass_but_no_lack_of_capacity(monkeypatch: pytest.MonkeyPatch) -> None:
    ec2 = boto3.client("ec2", region_name="us-east-1", config=config())
    retry_no_shortage(ec2)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    assert _calls_until_it_gives_up(ec2, "InsufficientInstanceCapacity") == 1
    assert _calls_until_it_gives_up(ec2, "InternalError") == 5


def _calls_until_it_gives_up(ec2: Any, code: str) -> int:
    calls = 0

    def answer(request: Any, **_: object) -> AWSResponse:
        nonlocal calls
        calls += 1
        return AWSResponse(request.url, 500, {}, _Body(code))  # type: ignore[arg-type] # all that is read of it

    ec2.meta.events.register_first("before-send.ec2.StartInstances", answer, unique_id="answer")
    with pytest.raises(ClientError, match=code):
        ec2.start_instances(InstanceIds=["i-1"])
    ec2.meta.events.unregister("before-send.ec2.StartInstances", answer, unique_id="answer")
    return calls


class _Body:
    """What a refusal of EC2 looks like: a fault of the server's, by its status."""

    def __init__(self, code: str) -> None:
        self._code = code

    def stream(self, *_: object, **__: object) -> list[bytes]:
        text = f"<Response><Errors><Error><Code>{self._code}</Code><Message>no</Message></Error></Errors></Response>"
        return [text.encode()]
