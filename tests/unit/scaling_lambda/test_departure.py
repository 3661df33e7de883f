"""Who is sent away although there is work: all that the last minutes did not need, and nobody on a guess."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_lambda.departure import FORGIVEN, LATEST, MINUTE, MISSED, UTILISATION, WINDOW
from scaling_lambda.fleet import Counts, Instance, Minute, Observation, State
from scaling_lambda.policy import Limits, Plan, Policy, decide, may_send_away
from tests.unit.scaling_lambda.observations import LIMITS as FEW
from tests.unit.scaling_lambda.observations import NOW, fleet, ids, instances

# As by default: ten seconds of work an instance.
LIMITS = replace(FEW, images_per_worker=1140, images_per_second=114.0)


def minutes(sent: Sequence[int], backlog: int = 60, late: int = 1) -> tuple[Minute, ...]:
    """The latest minutes, of which the last one ended `late` minutes ago."""
    first = NOW - (len(sent) + late) * MINUTE
    return tuple(Minute(first + number * MINUTE, each, backlog) for number, each in enumerate(sent))


STEADY = minutes([12_000] * 4)
CALM = Counts(20, 40, 0)


def observed(*workers: Instance, known: tuple[Minute, ...] = STEADY, counts: Counts = CALM) -> Observation:
    return Observation(NOW, counts, workers, known)


def plan_for(*workers: Instance, known: tuple[Minute, ...] = STEADY, limits: Limits = LIMITS) -> Plan:
    return decide(observed(*workers, known=known), limits)


def sent_away(workers: tuple[Instance, ...], seconds_ago: float = 5) -> tuple[Instance, ...]:
    return tuple(replace(worker, sent_away=NOW - timedelta(seconds=seconds_ago)) for worker in workers)


def test_two_hundred_images_a_second_need_two_of_six_and_the_other_four_leave_at_once() -> None:
    plan = plan_for(*fleet(6))
    assert ids(plan.leave) == [f"i-running{n:03}" for n in range(4)]
    assert plan.leave[0].reason == "200.0 images a second and 60 at a time, the most in 3 minutes, need 2"
    assert (plan.launch, plan.terminate, plan.want, plan.have) == (0, (), 1, 6)


def test_who_was_sent_away_is_no_capacity_and_nobody_else_follows() -> None:
    leaving, others = sent_away(fleet(4)), fleet(2, first=4)
    plan = plan_for(*leaving, *others)
    assert (plan.have, plan.leaving, plan.leave) == (2, 4, ())
    assert "2 booting or running, 4 leaving" in plan.reason


def test_a_burst_is_not_left_to_those_that_are_leaving_and_the_maximum_counts_them() -> None:
    workers = (*sent_away(fleet(18)), *fleet(2, first=18))
    burst = Counts(5 * 1140, 0, 0)
    assert decide(observed(*workers[15:], counts=burst), LIMITS).launch == 3
    plan = decide(observed(*workers, counts=burst), LIMITS)
    assert (plan.want, plan.have, plan.launch) == (5, 2, 0)


@pytest.mark.parametrize(
    "known",
    [
        pytest.param((), id="nothing is known"),
        pytest.param(STEADY[-WINDOW + 1 :], id="too little is known"),
        pytest.param((*STEADY[:2], STEADY[3]), id="one in between is missing"),
        pytest.param(minutes([12_000] * 4, late=5), id="all is old"),
        pytest.param(minutes([12_000] * 3, late=-1), id="the present one is not over"),
    ],
)
def test_on_minutes_that_are_not_known_whole_nobody_is_sent_away(known: tuple[Minute, ...]) -> None:
    assert LATEST < 5 * MINUTE
    assert plan_for(*fleet(6), known=known).leave == ()


def test_what_the_present_minute_has_brought_already_counts_as_well() -> None:
    known = (*minutes([6_000] * 4, late=0), Minute(NOW, 30_000, 60))
    assert len(plan_for(*fleet(6), known=known[:-1]).leave) == 5
    assert len(plan_for(*fleet(6), known=known).leave) == 1


def test_the_highest_minute_and_the_highest_backlog_say_how_many_stay() -> None:
    assert len(plan_for(*fleet(6), known=minutes([9_000, 30_000, 9_000])).leave) == 1
    assert len(plan_for(*fleet(6), known=minutes([9_000] * 3, backlog=4 * 1140)).leave) == 2


@pytest.mark.parametrize("newest", [Instance("i-new", State.PENDING, NOW), *fleet(1, age=150, first=9)])
def test_a_fleet_that_has_just_grown_keeps_all(newest: Instance) -> None:
    assert plan_for(*fleet(5), newest).leave == ()


def test_workers_that_were_launched_within_the_minutes_that_are_known_all_stay() -> None:
    late = minutes([12_000] * 4, late=2)
    assert plan_for(*fleet(6, age=290), known=late).leave == ()
    assert len(plan_for(*fleet(6, age=300), known=late).leave) == 4


def test_nobody_is_asked_for_more_than_nine_tenths_of_the_speed() -> None:
    assert len(plan_for(*fleet(6), known=minutes([int(2 * 114 * 0.9 * 60)] * 3)).leave) == 4
    assert len(plan_for(*fleet(6), known=minutes([2 * 114 * 60 - 1] * 3)).leave) == 3


def test_the_minimum_those_that_stay_warm_and_those_that_a_person_keeps_stay() -> None:
    assert len(plan_for(*fleet(6), limits=replace(LIMITS, minimum=5)).leave) == 1
    kept = replace(fleet(1)[0], keep=True)
    warm = replace(fleet(1, first=1)[0], warm=True)
    plan = plan_for(kept, warm, *fleet(4, first=2))
    assert ids(plan.leave) == [f"i-running{n:03}" for n in range(2, 6)]


def test_a_person_who_keeps_one_that_was_sent_away_has_the_last_word() -> None:
    (worker,) = sent_away(fleet(1))
    assert not replace(worker, keep=True).leaving
    assert plan_for(replace(worker, keep=True), *fleet(1, first=1)).have == 2


def test_one_that_is_leaving_is_not_told_to_stay_warm() -> None:
    plan = plan_for(*sent_away(fleet(3, age=300)), *fleet(1, first=3), limits=replace(LIMITS, minimum=1))
    assert ids(plan.keep_warm) in ([], ["i-running003"])


def test_each_departure_that_was_missed_lets_one_more_stay_for_an_hour() -> None:
    gone = replace(fleet(1, State.TERMINATED, age=4000)[0], sent_away=NOW - timedelta(minutes=30))
    soon = replace(fleet(1, first=50)[0], launched=NOW - timedelta(minutes=25))
    late = replace(soon, launched=NOW - timedelta(minutes=30) + MISSED)
    assert timedelta(minutes=30) < FORGIVEN
    assert len(plan_for(*fleet(5), late, gone).leave) == 4
    assert len(plan_for(*fleet(5), soon, gone).leave) == 3
    again = replace(gone, id="i-again", sent_away=NOW - timedelta(minutes=28))
    assert len(plan_for(*fleet(5), soon, gone, again).leave) == 2
    # One more than it takes stays: of two nobody can be spared, so nobody asks.
    assert not may_send_away(observed(*fleet(1), soon, gone), LIMITS)
    assert may_send_away(observed(*fleet(2), soon, gone), LIMITS)
    long_ago = replace(gone, sent_away=NOW - FORGIVEN - timedelta(minutes=5))
    assert len(plan_for(*fleet(5), replace(soon, launched=NOW - FORGIVEN), long_ago).leave) == 4


def test_the_seeds_rule_sends_nobody_away() -> None:
    limits = replace(LIMITS, policy=Policy.STEP)
    assert plan_for(*fleet(6), limits=limits).leave == ()
    assert not may_send_away(observed(*fleet(6)), limits)


@pytest.mark.parametrize(
    ("workers", "counts"),
    [
        pytest.param(fleet(1), Counts(0, 9, 0), id="one worker"),
        pytest.param(fleet(3), Counts(3 * 1140, 0, 0), id="as many as the backlog needs"),
        pytest.param((*fleet(5), *fleet(1, State.PENDING, age=20)), Counts(9, 9, 0), id="one boots"),
        pytest.param(fleet(6, age=120), Counts(9, 9, 0), id="launched a moment ago"),
        pytest.param((*fleet(1), *sent_away(fleet(5, first=1))), Counts(9, 9, 0), id="all others are leaving"),
    ],
)
def test_cloudwatch_is_not_asked_where_its_answer_could_change_nothing(
    workers: tuple[Instance, ...], counts: Counts
) -> None:
    assert not may_send_away(observed(*workers, counts=counts), LIMITS)
    assert may_send_away(observed(*fleet(6)), LIMITS)


def test_the_cost_of_a_plan_is_without_those_that_leave() -> None:
    prices = replace(LIMITS.prices, override=1.0)
    cost = plan_for(*fleet(6), limits=replace(LIMITS, prices=prices)).cost_per_hour
    assert (cost.active, cost.planned) == (6, 2)


# ---- Any fleet and any minutes; most are such that somebody may leave.

figures = st.tuples(st.integers(0, 20_000) | st.integers(0, 200_000), st.integers(0, 3000) | st.integers(0, 20_000))


@st.composite
def known_minutes(draw: st.DrawFn) -> tuple[Minute, ...]:
    late, chosen = draw(st.integers(0, 2) | st.integers(-1, 6)), draw(st.lists(figures, min_size=WINDOW, max_size=5))
    first = NOW - (len(chosen) + late) * MINUTE
    whole = tuple(Minute(first + number * MINUTE, *figure) for number, figure in enumerate(chosen))
    missing = draw(st.just(set[int]()) | st.sets(st.integers(0, 4), max_size=2))
    return tuple(minute for number, minute in enumerate(whole) if number not in missing)


running = st.lists(
    st.tuples(st.integers(600, 2000), *[st.sampled_from([False, False, False, True])] * 2), min_size=2, max_size=20
).map(
    lambda chosen: tuple(
        Instance(f"i-{n:03}", State.RUNNING, NOW - timedelta(seconds=age), keep=keep, warm=warm)
        for n, (age, keep, warm) in enumerate(chosen)
    )
)
young = running.map(lambda workers: (*workers, *fleet(1, age=250, first=99)))
fleets = running | young | instances
counts = st.builds(Counts, st.integers(0, 2000), st.integers(0, 500), st.just(0))
speeds = st.floats(20, 500) | st.floats(0.1, 500)
shares = st.integers(500, 3000) | st.integers(1, 3000)


def limited(speed: float, share: int) -> Limits:
    return replace(LIMITS, images_per_second=speed, images_per_worker=share)


@given(fleets, known_minutes(), counts, speeds, shares)
def test_those_that_stay_are_enough_for_every_minute_and_for_the_present(
    workers: tuple[Instance, ...], known: tuple[Minute, ...], present: Counts, speed: float, share: int
) -> None:
    observation = observed(*workers, known=known, counts=present)
    plan = decide(observation, limited(speed, share))
    left = set(ids(plan.leave))
    assert left <= {instance.id for instance in observation.capacity}
    if not left:
        return
    stay = len(observation.capacity) - len(left)
    assert stay >= max(1, plan.want)
    assert plan.launch == 0
    assert plan.terminate == ()
    latest = [minute for minute in known if minute.start + MINUTE <= NOW][-WINDOW:]
    assert len(latest) == WINDOW
    for minute in latest:
        assert stay * share >= minute.backlog
        assert stay * speed * UTILISATION * 60 >= minute.sent * (1 - 1e-9)


@given(fleets, known_minutes(), counts, speeds, shares)
def test_a_second_evaluation_sends_away_nobody_more_whether_it_sees_the_tags_or_not(
    workers: tuple[Instance, ...], known: tuple[Minute, ...], present: Counts, speed: float, share: int
) -> None:
    observation, limits = observed(*workers, known=known, counts=present), limited(speed, share)
    first = ids(decide(observation, limits).leave)
    tagged = tuple(replace(w, sent_away=NOW) if w.id in first else w for w in workers)
    assert decide(replace(observation, instances=tagged), limits).leave == ()
    # Any part of the tags may be seen, and EC2 lists instances in any order.
    some = tuple(replace(w, sent_away=NOW) if w.id in first[::2] else w for w in workers)
    second = ids(decide(replace(observation, instances=some[::-1]), limits).leave)
    assert set(second) == set(first) - set(first[::2])


@given(running, known_minutes(), speeds, shares, st.tuples(st.integers(0, 50_000), st.integers(0, 5000)))
def test_more_work_in_the_minutes_never_sends_more_away(
    workers: tuple[Instance, ...], known: tuple[Minute, ...], speed: float, share: int, more: tuple[int, int]
) -> None:
    limits, (sent, backlog) = limited(speed, share), more
    busier = tuple(replace(m, sent=m.sent + sent, backlog=m.backlog + backlog) for m in known)
    left = set(ids(plan_for(*workers, known=known, limits=limits).leave))
    assert set(ids(plan_for(*workers, known=busier, limits=limits).leave)) <= left
