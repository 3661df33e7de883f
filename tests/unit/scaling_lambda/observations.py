"""Fleets and queues at one moment, as the tests of the decision see them: made by hand, and any at all."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from scaling_lambda.fleet import Action, Counts, Fault, Instance, Mark, Observation, State
from scaling_lambda.policy import Limits, Plan, Policy, decide
from scaling_lambda.reserve import Reserve

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
LIMITS = Limits(
    minimum=0,
    maximum=20,
    images_per_worker=5,
    images_per_second=2,
    boot_grace=timedelta(seconds=180),
    confirm_after=timedelta(seconds=120),
    idle_confirm_after=timedelta(seconds=120),
    max_age=timedelta(hours=24),
)


def fleet(count: int, state: State = State.RUNNING, age: float = 600, first: int = 0) -> tuple[Instance, ...]:
    """`count` instances of that state and age in seconds."""
    launched = NOW - timedelta(seconds=age)
    return tuple(Instance(f"i-{state.value}{n:03}", state, launched) for n in range(first, first + count))


def marked(instances: tuple[Instance, ...], fault: Fault, seconds_ago: float) -> tuple[Instance, ...]:
    mark = Mark(fault, NOW - timedelta(seconds=seconds_ago))
    return tuple(replace(instance, mark=mark, tagged=True) for instance in instances)


def plan_for(
    *instances: Instance,
    visible: int = 0,
    in_flight: int = 0,
    delayed: int = 0,
    limits: Limits = LIMITS,
) -> Plan:
    return decide(Observation(NOW, Counts(visible, in_flight, delayed), instances), limits)


def ids(plan_part: tuple[Action, ...]) -> list[str]:
    return [action.instance for action in plan_part]


marks = st.none() | st.builds(
    Mark, st.sampled_from(Fault), st.integers(0, 5000).map(lambda seconds: NOW - timedelta(seconds=seconds))
)
instances = st.lists(
    st.builds(
        Instance,
        id=st.uuids().map(str),
        state=st.sampled_from(State),
        launched=st.integers(0, 100_000).map(lambda seconds: NOW - timedelta(seconds=seconds)),
        mark=marks,
        tagged=st.booleans(),
        keep=st.booleans(),
        warm=st.booleans(),
        standby=st.booleans(),
        sent_away=st.none() | st.integers(0, 5000).map(lambda seconds: NOW - timedelta(seconds=seconds)),
        spot=st.booleans(),
    ),
    max_size=40,
).map(tuple)
# Zeros often, since everything about ending instances turns on them.
number = st.just(0) | st.integers(0, 5000)
observations = st.builds(Observation, st.just(NOW), st.builds(Counts, number, number, number), instances)
limits = st.integers(0, 100).flatmap(
    lambda maximum: st.builds(
        Limits,
        minimum=st.integers(0, maximum),
        maximum=st.just(maximum),
        images_per_worker=st.integers(1, 2000),
        images_per_second=st.floats(0.01, 1000),
        boot_grace=st.integers(10, 600).map(lambda seconds: timedelta(seconds=seconds)),
        confirm_after=st.integers(10, 600).map(lambda seconds: timedelta(seconds=seconds)),
        idle_confirm_after=st.integers(10, 600).map(lambda seconds: timedelta(seconds=seconds)),
        max_age=st.integers(600, 90_000).map(lambda seconds: timedelta(seconds=seconds)),
        policy=st.sampled_from(Policy),
        reserve=st.builds(
            Reserve,
            warm=st.integers(0, maximum),
            standby=st.integers(0, 20),
            standby_max_age=st.integers(600, 90_000).map(lambda seconds: timedelta(seconds=seconds)),
        ),
    )
)
