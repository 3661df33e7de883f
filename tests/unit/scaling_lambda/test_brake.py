"""The brake: launches that are in vain become tries, a healthy fleet is never slowed, and an answer takes it off."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_lambda.brake import FAILED, FEW, LONG, PROBE_EVERY, WINDOW
from scaling_lambda.departure import LATEST, MINUTE
from scaling_lambda.fleet import Counts, Instance, Minute, Observation, State
from scaling_lambda.policy import Limits, Plan, Policy, decide, depends_on_minutes
from tests.unit.scaling_lambda.observations import LIMITS, NOW, fleet, ids, limits, observations

WAITING = Counts(50_000, 0, 0)
GONE = fleet(2 * FAILED, State.TERMINATED, age=PROBE_EVERY.total_seconds())


def silence(count: int = WINDOW, late: float = 1) -> tuple[Minute, ...]:
    """Minutes with images and no answer, of which the last one ended `late` minutes ago."""
    first = NOW - (count + late) * MINUTE
    return tuple(Minute(first + number * MINUTE, 0, 50_000, deleted=0) for number in range(count))


def answered(minutes: tuple[Minute, ...], number: int) -> tuple[Minute, ...]:
    return tuple(replace(minute, deleted=1) if n == number else minute for n, minute in enumerate(minutes))


def plan_for(
    *instances: Instance, minutes: tuple[Minute, ...] = (), limits: Limits = LIMITS, counts: Counts = WAITING
) -> Plan:
    return decide(Observation(NOW, counts, instances, minutes or silence()), limits)


def test_when_a_fleet_has_ended_without_an_answer_one_is_tried_and_the_reason_says_what_to_do() -> None:
    plan = plan_for(*GONE)
    assert (plan.want, plan.launch, plan.braked) == (1, 1, 19)
    assert plan.reason == (
        "50000 waiting, 0 in flight, 0 delayed: 20 wanted, the maximum, 10000 by proportional, 0 booting or running"
        "; braked, as 20 instances launched since 11:54 have ended and no image was answered;"
        " one is tried every 180 s: see the workers' log and deploy an AMI that works (docs/runbook.md, Braked),"
        " or ask for workers at once by `novaburst scale --workers N`"
    )


def test_from_one_try_to_the_next_some_minutes_pass_however_soon_it_ends() -> None:
    for state in (State.PENDING, State.RUNNING, State.TERMINATED):
        plan = plan_for(*GONE, *fleet(1, state, age=170, first=99))
        assert (plan.launch, plan.start, plan.braked) == (0, (), 20 - plan.have)
    assert plan_for(*GONE, *fleet(1, State.TERMINATED, age=180, first=99)).launch == 1


def test_a_single_worker_that_is_wanted_is_tried_as_seldom() -> None:
    plan = plan_for(*GONE, *fleet(1, State.TERMINATED, age=40, first=99), counts=Counts(1, 0, 0))
    assert (plan.want, plan.launch, plan.braked) == (1, 0, 1)


def test_those_that_run_already_stay_when_the_brake_comes_on() -> None:
    limits = replace(LIMITS, boot_grace=timedelta(hours=1))
    plan = plan_for(*GONE, *fleet(12), limits=limits)
    assert (plan.want, plan.launch, plan.braked) == (1, 0, 8)
    assert plan.terminate == plan.mark == plan.leave == ()


def test_a_person_gets_what_is_asked_for_at_once() -> None:
    trying = (*GONE, *fleet(1, State.PENDING, age=5))
    assert plan_for(*trying, limits=LIMITS.at_least(5)).launch == 4
    assert plan_for(*trying, limits=LIMITS.at_least(100)).launch == 19
    # The operator's minimum asks at each look, and would be no brake.
    assert plan_for(*trying, limits=replace(LIMITS, minimum=5)).launch == 0


def test_workers_that_stand_by_and_stop_again_without_an_answer_are_launches_in_vain_as_well() -> None:
    ready = tuple(replace(one, standby=True) for one in fleet(12, State.STOPPED, age=200))
    plan = plan_for(*ready)
    assert (len(plan.start), plan.launch, plan.braked) == (1, 0, 19)


@pytest.mark.parametrize("policy", list(Policy))
def test_both_policies_are_braked(policy: Policy) -> None:
    recent = fleet(1, State.TERMINATED, age=100, first=99)
    assert plan_for(*GONE, *recent, limits=replace(LIMITS, policy=policy)).launch == 0


@pytest.mark.parametrize(
    ("minutes", "instances"),
    [
        pytest.param(silence(WINDOW - 1), GONE, id="too few minutes are known"),
        pytest.param(silence(late=5), GONE, id="all minutes are old"),
        pytest.param(tuple(replace(m, deleted=None) for m in silence()), GONE, id="what was deleted is not known"),
        pytest.param((*silence(9)[:4], *silence(9)[5:]), GONE, id="one in between is missing"),
        pytest.param(tuple(replace(m, backlog=0) for m in silence()), GONE, id="there were no images"),
        pytest.param(answered(silence(), WINDOW - 1), GONE, id="an answer in the latest minute"),
        pytest.param(answered(silence(9), 6), GONE, id="an answer within the five minutes"),
        pytest.param((*silence(), Minute(NOW, 0, 9, deleted=1)), GONE, id="an answer in the present minute"),
        pytest.param(silence(), GONE[: FAILED - 1], id="too few have ended"),
        pytest.param(silence(), fleet(40, State.TERMINATED, age=361), id="all were launched before these minutes"),
        pytest.param(
            silence(),
            tuple(replace(one, sent_away=NOW) for one in GONE),
            id="they were sent away, to a new AMI perhaps",
        ),
        pytest.param(silence(), (), id="no capacity for minutes: nothing was launched at all"),
        pytest.param(silence(), fleet(12, State.PENDING, age=170), id="a slow boot"),
    ],
)
def test_without_all_the_signs_of_a_loop_nothing_is_kept_back(
    minutes: tuple[Minute, ...], instances: tuple[Instance, ...]
) -> None:
    assert LATEST < 5 * MINUTE
    plan = plan_for(*instances, minutes=minutes)
    assert (plan.launch, plan.braked) == (20 - plan.have, 0)


def test_a_minute_that_cloudwatch_has_late_does_not_take_the_brake_off() -> None:
    known = silence(9, late=0)
    late = (*known[:7], replace(known[7], deleted=None), known[8])
    assert plan_for(*GONE, minutes=late).braked == plan_for(*GONE, minutes=(*known[:7], known[8])).braked == 19
    assert plan_for(*GONE, minutes=answered(late, 8)).braked == 0


def test_after_half_an_hour_few_tries_keep_it_on() -> None:
    tries = tuple(fleet(1, State.TERMINATED, age=200 + 300 * n, first=n)[0] for n in range(FEW))
    long = int(LONG / MINUTE)
    assert plan_for(*tries, minutes=silence(long)).braked == 19
    assert plan_for(*tries, minutes=silence(long - 2)).braked == 0
    assert plan_for(*tries[1:], minutes=silence(long)).braked == 0


@pytest.mark.parametrize(
    ("instances", "counts"),
    [
        pytest.param((), WAITING, id="a first burst"),
        pytest.param(fleet(FEW - 1, State.TERMINATED), WAITING, id="few have ended"),
        pytest.param(fleet(40, State.TERMINATED, age=2100), WAITING, id="they were launched long ago"),
        pytest.param((*GONE, *fleet(20)), WAITING, id="as many as are wanted"),
        pytest.param(GONE, Counts(0, 0, 0), id="no images"),
    ],
)
def test_cloudwatch_is_not_asked_where_launches_cannot_be_in_vain(
    instances: tuple[Instance, ...], counts: Counts
) -> None:
    assert not depends_on_minutes(Observation(NOW, counts, instances), LIMITS)
    assert depends_on_minutes(Observation(NOW, WAITING, GONE), LIMITS)


# ---- Any fleet, any limits and any minutes; most are such that the brake may be on.

one_minute = st.tuples(st.sampled_from([0, 0, 0, 0, 0, 0, 0, 3, None]), st.sampled_from([5, 5, 5, 50_000, 0]))


@st.composite
def any_minutes(draw: st.DrawFn) -> tuple[Minute, ...]:
    figures = draw(st.lists(one_minute, max_size=40))
    first = NOW - (len(figures) + draw(st.integers(-1, 5))) * MINUTE
    return tuple(Minute(first + n * MINUTE, 7, backlog, went) for n, (went, backlog) in enumerate(figures))


@st.composite
def in_vain(draw: st.DrawFn) -> Observation:
    ages = draw(st.lists(st.integers(0, 2400), min_size=0, max_size=60))
    states = st.sampled_from([State.TERMINATED] * 6 + [State.SHUTTING_DOWN, State.STOPPED, State.PENDING])
    instances = tuple(
        Instance(f"i-{n:03}", draw(states), NOW - timedelta(seconds=age), standby=draw(st.booleans()))
        for n, age in enumerate(ages)
    )
    return Observation(NOW, Counts(draw(st.integers(1, 50_000)), 0, 0), instances)


def with_and_without(observation: Observation, minutes: tuple[Minute, ...], limits: Limits) -> tuple[Plan, Plan]:
    """The plan, and the one without anything known of answers: the minutes have another meaning for departures."""
    unknown = tuple(replace(minute, deleted=None) for minute in minutes)
    plans = [decide(replace(observation, minutes=known), limits) for known in (minutes, unknown)]
    return plans[0], plans[1]


@given(observations | in_vain(), any_minutes(), limits)
def test_the_brake_adds_less_and_changes_nothing_else(
    observation: Observation, minutes: tuple[Minute, ...], limits: Limits
) -> None:
    plan, free = with_and_without(observation, minutes, limits)
    assert free.braked == 0
    if not plan.braked:
        assert (plan.launch, plan.start) == (free.launch, free.start)
    assert set(ids(plan.start)) <= set(ids(free.start))
    assert len(plan.start) + plan.launch + plan.held <= len(free.start) + free.launch + free.held
    for part in ("mark", "unmark", "leave", "keep_warm", "let_cool", "have", "leaving"):
        assert getattr(plan, part) == getattr(free, part)
    # One that stands by may be ended where it is not started; while there is a backlog it is not.
    assert set(ids(plan.terminate)) == set(ids(free.terminate))


@given(in_vain(), any_minutes(), st.integers(0, 4), st.integers(1, 10_000))
def test_never_with_an_answer_in_the_last_five_minutes(
    observation: Observation, minutes: tuple[Minute, ...], ago: int, deleted: int
) -> None:
    at = NOW - ago * MINUTE
    known = sorted([*(m for m in minutes if m.start != at), Minute(at, 7, 9, deleted)], key=lambda m: m.start)
    plan, free = with_and_without(observation, tuple(known), LIMITS)
    assert (plan.braked, plan.launch, plan.start) == (0, free.launch, free.start)


@given(
    ended=st.lists(st.integers(0, 300), min_size=FAILED, max_size=60),
    late=st.integers(0, int(LATEST / MINUTE)),
    present=st.integers(1, 100_000),
    policy=st.sampled_from(Policy),
)
def test_always_when_that_many_have_ended_within_minutes_without_an_answer(
    ended: list[int], late: int, present: int, policy: Policy
) -> None:
    gone = tuple(Instance(f"i-{n}", State.TERMINATED, NOW - timedelta(seconds=age)) for n, age in enumerate(ended))
    plan = plan_for(
        *gone,
        minutes=silence(WINDOW + late, late),
        counts=Counts(present, 0, 0),
        limits=replace(LIMITS, policy=policy),
    )
    assert plan.want == 1
    assert plan.launch == (min(ended) >= PROBE_EVERY.total_seconds())
