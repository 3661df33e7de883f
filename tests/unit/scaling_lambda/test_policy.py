"""The decision: rows named after what went wrong elsewhere, and properties that hold whatever is observed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novaburst.bounds import FLEET_HARD_MAXIMUM
from scaling_lambda.fleet import Counts, Fault, Instance, Observation, State
from scaling_lambda.policy import HARD_MAXIMUM, Limits, Policy, decide, still_right
from tests.unit.scaling_lambda.observations import (
    LIMITS,
    NOW,
    fleet,
    ids,
    limits,
    marked,
    observations,
    plan_for,
)


@pytest.mark.parametrize(
    ("counts", "instances", "launch"),
    [
        pytest.param(Counts(0, 0, 0), (), 0, id="nothing to do launches nothing"),
        pytest.param(Counts(1, 0, 0), (), 1, id="one image launches one"),
        pytest.param(Counts(100, 0, 0), (), 20, id="a hundred images get all twenty at once, not one an interval"),
        pytest.param(Counts(11, 0, 0), (), 3, id="a partial share of an instance is rounded up"),
        pytest.param(Counts(5000, 0, 0), (), 20, id="five thousand images stay at the maximum"),
        pytest.param(
            Counts(5, 0, 0), fleet(1, State.PENDING, 5), 0, id="a booting machine is capacity (elastic-ci-stack 847)"
        ),
        pytest.param(
            Counts(500, 80, 0),
            fleet(12) + fleet(6, State.PENDING),
            2,
            id="busy, idle and booting all count towards the cap (5186)",
        ),
        pytest.param(Counts(500, 0, 0), fleet(55), 0, id="55 running at a maximum of 20 is no negative launch (5062)"),
        pytest.param(
            Counts(5, 0, 0),
            fleet(3, State.SHUTTING_DOWN),
            1,
            id="a machine shutting down is no capacity (buildkite 39)",
        ),
        pytest.param(
            Counts(5, 0, 0),
            fleet(3, State.STOPPED) + fleet(1, State.STOPPING),
            1,
            id="a stopped machine is no capacity",
        ),
        pytest.param(Counts(5, 0, 0), fleet(20, State.TERMINATED), 1, id="a terminated machine is no capacity"),
        pytest.param(Counts(0, 12, 0), fleet(1), 2, id="messages in flight keep their capacity (keda 1663)"),
        pytest.param(Counts(0, 0, 10), (), 2, id="delayed messages count"),
        pytest.param(Counts(20, 0, 0), fleet(4), 0, id="no new machine while free ones suffice (ray 23779)"),
    ],
)
def test_launches_what_the_backlog_needs(counts: Counts, instances: tuple[Instance, ...], launch: int) -> None:
    assert decide(Observation(NOW, counts, instances), LIMITS).launch == launch


@pytest.mark.parametrize(
    ("counts", "instances", "fault"),
    [
        pytest.param(Counts(0, 0, 0), fleet(1), Fault.IDLE, id="idle past its boot grace"),
        pytest.param(Counts(0, 0, 0), fleet(1, age=60), None, id="registered late is no orphan (4391)"),
        pytest.param(
            Counts(0, 1, 0),
            fleet(1),
            None,
            id="the last message in flight is not interrupted (keda 1663, SampleBatchProcessing 3)",
        ),
        pytest.param(Counts(3, 0, 0), fleet(1), Fault.STALLED, id="waiting work that nobody takes"),
        pytest.param(Counts(3, 1, 0), fleet(1), None, id="waiting work that somebody takes"),
        pytest.param(Counts(9, 9, 0), fleet(1, State.PENDING), Fault.UNBOOTED, id="still pending past its boot grace"),
        pytest.param(Counts(9, 9, 0), fleet(1, State.PENDING, 60), None, id="still pending within its boot grace"),
        pytest.param(Counts(0, 0, 0), fleet(1, age=90_000), Fault.AGED, id="past its maximum age, nothing in flight"),
        pytest.param(Counts(0, 2, 0), fleet(1, age=90_000), None, id="past its maximum age but perhaps at work"),
        pytest.param(Counts(0, 0, 0), fleet(1, State.SHUTTING_DOWN), None, id="already shutting down is gone (4724)"),
    ],
)
def test_first_sighting_only_marks(counts: Counts, instances: tuple[Instance, ...], fault: Fault | None) -> None:
    plan = decide(Observation(NOW, counts, instances), LIMITS)
    assert [action.fault for action in plan.mark] == ([] if fault is None else [fault])
    assert plan.terminate == ()


def test_a_second_sighting_after_the_confirmation_time_terminates() -> None:
    plan = plan_for(*marked(fleet(2), Fault.IDLE, 125))
    assert ids(plan.terminate) == ["i-running000", "i-running001"]
    assert plan.mark == ()
    assert "nothing is waiting or in flight, seen again after 125 s" in plan.terminate[0].reason


def test_idleness_is_confirmed_by_a_time_of_its_own() -> None:
    limits = replace(LIMITS, idle_confirm_after=timedelta(seconds=900))
    assert plan_for(*marked(fleet(1), Fault.IDLE, 125), limits=limits).terminate == ()
    assert ids(plan_for(*marked(fleet(1), Fault.IDLE, 905), limits=limits).terminate) == ["i-running000"]
    assert plan_for(*marked(fleet(1), Fault.STALLED, 125), visible=7, limits=limits).terminate


def test_a_second_sighting_too_early_does_nothing() -> None:
    plan = plan_for(*marked(fleet(2), Fault.IDLE, 60))
    assert plan.terminate == plan.mark == plan.unmark == ()


def test_a_marked_instance_that_took_a_job_is_unmarked_and_lives_on() -> None:
    # github-aws-runners 5085: asked "busy?", took a job, was terminated.
    plan = plan_for(*marked(fleet(1), Fault.IDLE, 125), in_flight=1)
    assert plan.terminate == ()
    assert ids(plan.unmark) == ["i-running000"]


def test_a_mark_for_another_fault_does_not_confirm_this_one() -> None:
    plan = plan_for(*marked(fleet(1), Fault.IDLE, 125), visible=7)
    assert plan.terminate == ()
    assert [action.fault for action in plan.mark] == [Fault.STALLED]


def test_marks_expire_so_none_stays_already_marked_for_ever() -> None:
    # elastic-ci-stack 1888. A mark of hours ago says nothing about the time between.
    plan = plan_for(*marked(fleet(1), Fault.IDLE, 7200))
    assert plan.terminate == ()
    assert ids(plan.mark) == ["i-running000"]


def test_an_unreadable_mark_is_replaced() -> None:
    (instance,) = fleet(1)
    plan = plan_for(replace(instance, tagged=True))
    assert ids(plan.mark) == ["i-running000"]


def test_an_instance_that_never_boots_goes_although_work_is_in_flight_elsewhere() -> None:
    plan = plan_for(*marked(fleet(1, State.PENDING), Fault.UNBOOTED, 125), *fleet(1), visible=3, in_flight=2)
    assert ids(plan.terminate) == ["i-pending000"]


def test_a_replacement_waits_until_the_instance_is_seen_to_be_gone() -> None:
    limits = replace(LIMITS, maximum=2)
    plan = plan_for(*marked(fleet(2), Fault.STALLED, 125), visible=50, limits=limits)
    assert len(plan.terminate) == 2
    assert plan.launch == 0


@pytest.mark.parametrize("fault", list(Fault))
def test_a_keep_alive_tag_is_honoured_on_every_path(fault: Fault) -> None:
    kept = tuple(
        replace(instance, keep=True)
        for state in (State.RUNNING, State.PENDING)
        for instance in marked(fleet(25, state, age=90_000), fault, 125)
    )
    for visible in (0, 5):
        plan = plan_for(*kept, visible=visible)
        assert plan.terminate == plan.mark == ()


def test_the_warm_minimum_is_launched_and_stays_when_idle() -> None:
    limits = replace(LIMITS, minimum=2)
    assert plan_for(limits=limits).launch == 2
    plan = plan_for(*marked(fleet(5), Fault.IDLE, 125), limits=limits)
    assert len(plan.terminate) == 3
    assert ids(plan.unmark) == ["i-running003", "i-running004"]


def test_ten_machines_do_not_stay_for_one_straggler_once_it_is_done() -> None:
    # cloud_kotta 6: idle exit is each worker's own; the net waits for the last message, then takes all.
    assert plan_for(*marked(fleet(10), Fault.IDLE, 125), in_flight=1).terminate == ()
    assert len(plan_for(*marked(fleet(10), Fault.IDLE, 125)).terminate) == 10


def test_above_the_maximum_the_newest_booting_instances_go_and_no_working_one() -> None:
    old, new = fleet(19), fleet(4, State.PENDING, 5)
    newest = replace(new[3], launched=NOW)
    plan = plan_for(*old, *new[:3], newest, visible=900, in_flight=100)
    assert plan.launch == 0
    assert len(plan.terminate) == 3
    assert plan.terminate[0].instance == newest.id
    assert all(identity.startswith("i-pending") for identity in ids(plan.terminate))


def test_a_maximum_lowered_below_the_running_fleet_kills_no_worker() -> None:
    assert plan_for(*fleet(20), visible=500, in_flight=100, limits=replace(LIMITS, maximum=5)).terminate == ()


def test_the_step_policy_adds_one_an_evaluation_while_messages_outnumber_instances() -> None:
    step = replace(LIMITS, policy=Policy.STEP)
    assert plan_for(visible=100, limits=step).launch == 1
    assert plan_for(*fleet(7), visible=100, limits=step).launch == 1
    assert plan_for(*fleet(7), visible=7, limits=step).launch == 0
    assert plan_for(*fleet(20), visible=100, limits=step).launch == 0


def test_the_step_policy_ends_one_an_evaluation_while_there_are_no_messages() -> None:
    step = replace(LIMITS, policy=Policy.STEP)
    assert ids(plan_for(*marked(fleet(4), Fault.IDLE, 125), limits=step).terminate) == ["i-running000"]


def test_counts_taken_just_before_the_act_spare_a_worker_that_has_taken_a_message() -> None:
    observation = Observation(
        NOW,
        Counts(0, 0, 0),
        marked(fleet(1), Fault.IDLE, 125) + marked(fleet(1, State.PENDING), Fault.UNBOOTED, 125),
    )
    plan = decide(observation, LIMITS)
    assert len(plan.terminate) == 2
    left = still_right(plan, Counts(0, 1, 0), observation)
    assert [action.instance for action in left] == ["i-pending000"]
    assert still_right(plan, Counts(9, 0, 0), observation) == plan.terminate


def test_the_plan_says_why_in_words() -> None:
    plan = plan_for(*fleet(2), visible=48, in_flight=3)
    assert plan.reason == "48 waiting, 3 in flight, 0 delayed: 11 wanted by proportional, 2 booting or running"


def test_the_hard_maximum_is_the_projects() -> None:
    assert HARD_MAXIMUM == FLEET_HARD_MAXIMUM


@given(observations, limits)
def test_no_plan_passes_the_maximum_or_is_negative(observation: Observation, limits: Limits) -> None:
    plan = decide(observation, limits)
    assert plan.launch >= 0
    assert 0 <= plan.want <= min(limits.maximum, HARD_MAXIMUM)
    added = len(plan.start) + plan.launch
    if added:
        # Those that are leaving still count to the maximum.
        most = min(limits.maximum, HARD_MAXIMUM)
        assert plan.have + added == min(plan.want, most - plan.leaving)


@given(observations, limits)
def test_no_plan_ends_an_instance_that_may_hold_work(observation: Observation, limits: Limits) -> None:
    plan = decide(observation, limits)
    by_id = {instance.id: instance for instance in observation.instances}
    for action in plan.terminate:
        instance = by_id[action.instance]
        assert not instance.keep
        assert instance.state in {State.PENDING, State.STOPPED} or (
            instance.state is State.RUNNING and observation.counts.in_flight == 0
        )


@given(observations, limits)
def test_no_running_instance_is_ended_without_a_mark_and_its_boot_grace(
    observation: Observation, limits: Limits
) -> None:
    by_id = {instance.id: instance for instance in observation.instances}
    for action in decide(observation, limits).terminate:
        instance = by_id[action.instance]
        if instance.state is State.RUNNING:
            assert instance.mark is not None
            assert NOW - instance.mark.since >= min(limits.confirm_after, limits.idle_confirm_after)
            assert NOW - instance.launched >= limits.boot_grace


@given(observations, limits)
def test_no_plan_launches_and_ends_for_idleness_at_once(observation: Observation, limits: Limits) -> None:
    plan = decide(observation, limits)
    leaving = {instance.id for instance in observation.instances if instance.leaving}
    idle = [a for a in plan.terminate if a.reason.startswith("nothing is waiting") and a.instance not in leaving]
    assert not (plan.launch and idle)
    assert len(idle) <= max(0, plan.have - min(limits.minimum, plan.want))


@given(observations, limits)
def test_each_instance_gets_at_most_one_action(observation: Observation, limits: Limits) -> None:
    plan = decide(observation, limits)
    named = ids(plan.terminate + plan.mark + plan.unmark)
    assert len(named) == len(set(named))
    for told in (plan.start, plan.stand_by + plan.stand_down, plan.keep_warm + plan.let_cool):
        assert len(set(ids(told))) == len(told)
        assert not set(ids(told)) & set(ids(plan.terminate))


@given(observations, limits, st.integers(1, 500))
def test_more_backlog_never_wants_fewer(observation: Observation, limits: Limits, more: int) -> None:
    counts = replace(observation.counts, visible=observation.counts.visible + more)
    assert decide(replace(observation, counts=counts), limits).want >= decide(observation, limits).want
