"""What the fleet costs an hour, now and after the plan: never understated, and unknown rather than zero."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from scaling_lambda.cost import Cost, Prices
from scaling_lambda.fleet import Counts, Fault, Instance, Mark, Observation, State
from scaling_lambda.policy import decide, priced
from scaling_lambda.settings import INSTANCE_TYPE, PRICES_PER_HOUR, Settings

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
WORKER = Instance("i-1", State.RUNNING, NOW - timedelta(minutes=10), type="c6i.large")


def cost_of(*instances: Instance, visible: int = 0, environment: dict[str, str] | None = None) -> Cost:
    limits = Settings.load({"NOVABURST_IMAGES_PER_WORKER": "5", **(environment or {})}).limits
    return decide(Observation(NOW, Counts(visible, 0, 0), instances), limits).cost_per_hour


def test_the_cost_is_of_the_fleet_as_it_is_and_as_planned() -> None:
    booting = replace(WORKER, id="i-2", state=State.PENDING)
    assert cost_of(WORKER, booting, visible=20) == Cost(active=0.17, planned=0.34, currency="USD")


def test_nothing_running_and_nothing_planned_costs_nothing() -> None:
    assert cost_of() == Cost(active=0, planned=0)


def test_an_ended_instance_costs_nothing_and_a_terminated_one_is_not_planned() -> None:
    idle = replace(WORKER, mark=Mark(Fault.IDLE, NOW - timedelta(seconds=905)), tagged=True)
    gone = replace(WORKER, id="i-2", state=State.SHUTTING_DOWN)
    assert cost_of(idle, gone) == Cost(active=0.085, planned=0)


def test_a_spared_termination_is_costed_again() -> None:
    idle = replace(WORKER, mark=Mark(Fault.IDLE, NOW - timedelta(seconds=905)), tagged=True)
    observation, limits = Observation(NOW, Counts(0, 0, 0), (idle,)), Settings.load({}).limits
    spared = replace(decide(observation, limits), terminate=())
    assert priced(spared, observation, limits.prices).cost_per_hour.planned == 0.085


def test_new_instances_are_priced_as_the_first_type_that_is_tried() -> None:
    first = {"NOVABURST_INSTANCE_TYPES": "c6a.large,c5.large"}
    assert cost_of(visible=10, environment=first).planned == 2 * PRICES_PER_HOUR["c6a.large"]
    assert cost_of(visible=10).planned == 2 * PRICES_PER_HOUR[INSTANCE_TYPE]


def test_a_type_without_a_price_makes_the_cost_unknown_and_not_zero() -> None:
    assert cost_of(WORKER, replace(WORKER, id="i-2", type="x9.mega")) == Cost(active=None, planned=None)


def test_the_operators_own_price_counts_for_every_type() -> None:
    own = {"NOVABURST_PRICE_PER_HOUR": "0.03"}
    assert cost_of(WORKER, replace(WORKER, id="i-2", type="x9.mega"), environment=own).active == 0.06


@pytest.mark.parametrize("price", PRICES_PER_HOUR.values())
def test_the_tables_prices_are_dollars_an_hour(price: float) -> None:
    assert 0.01 < price < 1


def test_a_what_if_question_without_types_is_priced_as_the_launched_type() -> None:
    assert Prices(by_type={"a": 2.0}, launched_type="a").total([None, None]) == 4.0
