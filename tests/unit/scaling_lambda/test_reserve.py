"""What stays when there is nothing to do: stopped instances standing by, and running ones kept warm."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_lambda.fleet import Action, Counts, Fault, Instance, Mark, Observation, State
from scaling_lambda.policy import Limits, Plan, decide, still_right
from scaling_lambda.reserve import Reserve
from tests.unit.scaling_lambda.observations import LIMITS, NOW, fleet, ids, limits, marked, observations, plan_for

TWO = replace(LIMITS, reserve=Reserve(standby=2))


def standing_by(count: int, age: float = 600, first: int = 0) -> tuple[Instance, ...]:
    return tuple(replace(i, standby=True) for i in fleet(count, State.STOPPED, age, first))


def test_those_that_stand_by_are_started_first_and_the_rest_is_launched() -> None:
    plan = plan_for(*standing_by(2), *fleet(1), visible=25, limits=TWO)
    assert ids(plan.start) == ["i-stopped001", "i-stopped000"]
    assert (plan.want, plan.have, plan.launch) == (5, 1, 2)
    assert plan.terminate == ()


def test_a_stopped_instance_is_no_capacity_and_only_what_is_needed_is_started() -> None:
    plan = plan_for(*standing_by(2), visible=1, limits=TWO)
    assert (plan.have, plan.launch, len(plan.start)) == (0, 0, 1)
    assert plan.reason.endswith("0 booting or running, 2 standing by")


def test_idle_workers_are_told_to_stop_until_enough_stand_by() -> None:
    plan = plan_for(*fleet(4), in_flight=20, limits=TWO)
    assert ids(plan.stand_by) == ["i-running003", "i-running002"]
    assert ids(plan_for(*standing_by(1), *fleet(4), in_flight=20, limits=TWO).stand_by) == ["i-running003"]
    assert plan_for(*standing_by(2), *fleet(4), in_flight=20, limits=TWO).stand_by == ()


def test_one_that_is_leaving_is_not_told_to_stop_in_the_stead_of_one_that_stays() -> None:
    # It may have been sent away for its old AMI, with which it would come back.
    leaving = tuple(replace(i, sent_away=NOW) for i in fleet(3, age=300, first=10))
    plan = plan_for(*leaving, *fleet(1), in_flight=20, limits=TWO)
    assert ids(plan.stand_by) == ["i-running000"]


def test_one_that_was_told_stays_chosen_when_newer_ones_come() -> None:
    told = tuple(replace(i, standby=True) for i in fleet(2))
    plan = plan_for(*told, *fleet(5, age=5, first=10), in_flight=20, limits=TWO)
    assert plan.stand_by == plan.stand_down == ()


def test_one_that_was_started_again_is_told_to_end_once_others_stand_by() -> None:
    started = replace(fleet(1)[0], standby=True)
    plan = plan_for(started, *standing_by(2), in_flight=3, limits=TWO)
    assert ids(plan.stand_down) == [started.id]


def test_those_being_started_still_count_so_that_nobody_else_is_told_to_stop_for_a_moment() -> None:
    plan = plan_for(*standing_by(2), *fleet(3), visible=25, limits=TWO)
    assert len(plan.start) == 2
    assert plan.stand_by == ()


def test_one_that_is_booting_a_spot_instance_or_kept_by_a_person_is_not_told_to_stop() -> None:
    spot, kept = fleet(2)
    booting = fleet(1, State.PENDING, 5)
    plan = plan_for(replace(spot, spot=True), replace(kept, keep=True), *booting, in_flight=9, limits=TWO)
    assert plan.stand_by == ()


def test_a_stopped_instance_that_nobody_chose_is_terminated_by_the_next_evaluation() -> None:
    # fishtest 1881: poweroff only stopped the instance, and it was billed on.
    for counts in ({}, {"visible": 50, "in_flight": 3}):
        plan = plan_for(*fleet(1, State.STOPPED), limits=TWO, **counts)
        assert ids(plan.terminate) == ["i-stopped000"]
        assert plan.start == ()


def test_with_standby_switched_off_nothing_stays_stopped() -> None:
    plan = plan_for(*standing_by(3), *fleet(2, State.STOPPED, first=10))
    assert len(plan.terminate) == 5


def test_of_too_many_that_stand_by_the_oldest_go() -> None:
    old, new = standing_by(1, age=5000), standing_by(2, age=600, first=1)
    plan = plan_for(*new, *old, limits=TWO)
    assert ids(plan.terminate) == [old[0].id]
    assert "2 newer ones stand by" in plan.terminate[0].reason


def test_one_that_has_stood_by_for_too_long_is_replaced() -> None:
    (outdated,) = standing_by(1, age=8 * 24 * 3600)
    plan = plan_for(outdated, *fleet(1, age=30), limits=TWO)
    assert ids(plan.terminate) == [outdated.id]
    assert ids(plan.stand_by) == ["i-running000"]


def test_none_that_stands_by_is_terminated_while_another_evaluation_may_be_starting_it() -> None:
    assert plan_for(*standing_by(9, age=8 * 24 * 3600), visible=1, limits=TWO).terminate == ()


def test_counts_taken_just_before_the_act_spare_those_that_may_have_been_started() -> None:
    observation = Observation(NOW, Counts(0, 0, 0), standing_by(3) + fleet(1, State.STOPPED, first=10))
    plan = decide(observation, LIMITS)
    assert len(plan.terminate) == 4
    assert [a.instance for a in still_right(plan, Counts(1, 0, 0), observation)] == ["i-stopped010"]
    assert still_right(plan, Counts(0, 0, 0), observation) == plan.terminate


def test_a_person_who_keeps_a_stopped_instance_keeps_it_and_nobody_starts_it() -> None:
    kept = tuple(replace(i, keep=True) for i in standing_by(1) + fleet(1, State.STOPPED, first=10))
    for visible in (0, 50):
        plan = plan_for(*kept, visible=visible)
        assert plan.terminate == plan.start == ()


def test_the_warm_minimum_is_told_to_stay_and_the_others_are_not() -> None:
    warm = replace(LIMITS, minimum=2, reserve=Reserve(warm=2))
    plan = plan_for(*fleet(3), limits=warm)
    assert ids(plan.keep_warm) == ["i-running002", "i-running001"]
    told = tuple(replace(i, warm=True) for i in fleet(2))
    plan = plan_for(*told, *fleet(4, age=5, first=10), in_flight=9, limits=warm)
    assert plan.keep_warm == plan.let_cool == ()


def test_those_told_to_stay_warm_are_the_ones_that_are_spared_when_idle() -> None:
    warm = replace(LIMITS, minimum=1, reserve=Reserve(warm=1))
    told, other = marked(fleet(2), Fault.IDLE, 125)
    plan = plan_for(replace(told, warm=True), other, limits=warm)
    assert ids(plan.terminate) == [other.id]
    assert ids(plan.unmark) == [told.id]


def test_a_lowered_minimum_lets_them_go() -> None:
    told = tuple(replace(i, warm=True) for i in fleet(2))
    assert len(plan_for(*told).let_cool) == 2


def test_a_persons_minimum_for_once_keeps_nobody_warm() -> None:
    assert plan_for(*fleet(3), limits=LIMITS.at_least(3)).keep_warm == ()


def test_an_instance_that_a_person_keeps_counts_among_the_warm_without_being_told() -> None:
    warm = replace(LIMITS, minimum=1, reserve=Reserve(warm=1))
    kept, other = fleet(2)
    plan = plan_for(replace(kept, keep=True), replace(other, warm=True), limits=warm)
    assert plan.keep_warm == ()
    assert ids(plan.let_cool) == [other.id]


def test_one_that_stays_warm_is_not_told_to_stop() -> None:
    both = replace(LIMITS, minimum=1, reserve=Reserve(warm=1, standby=1))
    plan = plan_for(*fleet(2), limits=both)
    assert not set(ids(plan.keep_warm)) & set(ids(plan.stand_by))
    assert len(plan.stand_by) == 1


def test_an_aged_warm_instance_is_replaced_all_the_same() -> None:
    warm = replace(LIMITS, minimum=1, reserve=Reserve(warm=1))
    (aged,) = marked(fleet(1, age=90_000), Fault.AGED, 125)
    assert ids(plan_for(replace(aged, warm=True), limits=warm).terminate) == [aged.id]


def by_id(observation: Observation, plan_part: tuple[Action, ...]) -> list[Instance]:
    named = set(ids(plan_part))
    return [instance for instance in observation.instances if instance.id in named]


@given(observations, limits)
def test_never_more_stay_stopped_than_were_asked_for(observation: Observation, limits: Limits) -> None:
    empty = replace(observation, counts=Counts(0, 0, 0))
    plan = decide(empty, limits)
    ended = set(ids(plan.terminate)) | set(ids(plan.start))
    left = [i for i in empty.instances if i.state is State.STOPPED and not i.keep and i.id not in ended and i.standby]
    assert len(left) <= limits.reserve.standby


@given(observations, limits)
def test_only_those_that_stand_by_are_started_and_no_stopped_one_counts_as_capacity(
    observation: Observation, limits: Limits
) -> None:
    plan = decide(observation, limits)
    assert all(i.state is State.STOPPED and i.standby and not i.keep for i in by_id(observation, plan.start))
    awake = replace(observation, instances=tuple(i for i in observation.instances if i.state is not State.STOPPED))
    without = decide(awake, limits)
    assert (plan.want, plan.have) == (without.want, without.have)
    assert plan.launch + len(plan.start) == without.launch


@given(observations, limits)
def test_no_more_are_to_stop_than_are_missing(observation: Observation, limits: Limits) -> None:
    plan = decide(observation, limits)
    ended, freed, told = (set(ids(part)) for part in (plan.terminate, plan.stand_down, plan.stand_by))
    will_stop = [i for i in observation.active if i.id not in ended | freed and (i.id in told or i.standby)]
    assert len(will_stop) <= limits.reserve.standby
    assert not any(i.spot or i.keep for i in by_id(observation, plan.stand_by))


def after(observation: Observation, plan: Plan) -> Observation:
    """The fleet once the plan's tags are written and its terminations are done."""
    told = {name: set(ids(getattr(plan, name))) for name in ("stand_by", "stand_down", "keep_warm", "let_cool")}
    ended = set(ids(plan.terminate))
    return replace(
        observation,
        instances=tuple(
            replace(
                i,
                standby=(i.standby or i.id in told["stand_by"]) and i.id not in told["stand_down"],
                warm=(i.warm or i.id in told["keep_warm"]) and i.id not in told["let_cool"],
            )
            for i in observation.instances
            if i.id not in ended
        ),
    )


@given(observations, limits)
def test_nobody_is_told_twice_nor_one_thing_and_then_another(observation: Observation, limits: Limits) -> None:
    observation = after(observation, decide(observation, limits))
    again = decide(after(observation, decide(observation, limits)), limits)
    if again.terminate == ():
        assert again.stand_by == again.stand_down == again.keep_warm == again.let_cool == ()


@pytest.mark.parametrize("state", [State.STOPPING, State.SHUTTING_DOWN, State.TERMINATED])
def test_one_on_its_way_down_gets_no_action(state: State) -> None:
    plan = plan_for(*(replace(i, standby=True, warm=True) for i in fleet(3, state)), visible=0)
    assert plan.terminate == plan.stand_down == plan.let_cool == plan.start == ()


@given(st.sampled_from(Fault), st.integers(0, 5000))
def test_a_mark_on_a_stopped_instance_changes_nothing(fault: Fault, seconds: int) -> None:
    plain = standing_by(3)
    mark = Mark(fault, NOW - timedelta(seconds=seconds))
    with_marks = tuple(replace(i, mark=mark, tagged=True) for i in plain)
    assert plan_for(*with_marks, limits=TWO) == plan_for(*plain, limits=TWO)
