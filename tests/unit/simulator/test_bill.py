"""What bills must promise, whatever the burst, the fleet and the prices."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_lambda.settings import TRIGGERS
from simulator.bill import Bill, Fleet, Kept, Uploads, of_burst, of_images, of_month
from simulator.prices import HOURS_A_MONTH, Prices

PRICES = Prices()
FREE = Prices.model_validate(dict.fromkeys(Prices.model_fields, 0.0))

images = st.integers(0, 10_000_000)
image_bytes = st.floats(0, 1e8)
uploads = st.builds(Uploads, images, image_bytes, st.integers(1, 3650))
fleets = st.builds(
    Fleet,
    st.floats(0, 1e4),
    st.floats(0, 1e4),
    st.floats(0, 1e6),
)
price_lists = st.builds(
    lambda values: Prices.model_validate(dict(zip(Prices.model_fields, values, strict=True))),
    st.lists(st.floats(0, 100), min_size=len(Prices.model_fields), max_size=len(Prices.model_fields)),
)
kept = st.builds(Kept, st.integers(0, 20), st.integers(0, 20), st.floats(0.001, 10))


def dollars(bill: Bill, word: str) -> float:
    return sum(item.dollars for item in bill.items if word in item.name)


@given(uploads, fleets, price_lists)
def test_a_burst_never_costs_less_than_its_instances_and_no_item_is_a_gain(
    sent: Uploads, fleet: Fleet, prices: Prices
) -> None:
    bill = of_burst(sent, fleet, prices)
    assert bill.total >= fleet.dollars
    assert all(item.dollars >= 0 and item.amount >= 0 for item in bill.items)
    assert bill.total == pytest.approx(sum(item.dollars for item in bill.items))


@given(images, images, image_bytes, price_lists)
def test_images_cost_the_same_together_and_apart(one: int, other: int, size: float, prices: Prices) -> None:
    apart = sum(of_images(Uploads(count, size), prices).total for count in (one, other))
    assert of_images(Uploads(one + other, size), prices).total == pytest.approx(apart)


@given(uploads, fleets, price_lists)
def test_what_images_cost_does_not_depend_on_the_fleet(sent: Uploads, fleet: Fleet, prices: Prices) -> None:
    without = of_burst(replace(sent, images=0), fleet, prices).total
    assert of_burst(sent, fleet, prices).total == pytest.approx(without + of_images(sent, prices).total)


@given(uploads, fleets, st.sampled_from(list(Prices.model_fields)))
def test_a_higher_price_never_makes_a_bill_lower(sent: Uploads, fleet: Fleet, name: str) -> None:
    dearer = PRICES.model_copy(update={name: getattr(PRICES, name) * 2})
    assert of_burst(sent, fleet, dearer).total >= of_burst(sent, fleet, PRICES).total
    assert of_month(Kept(1, 1, 0.1), dearer).total >= of_month(Kept(1, 1, 0.1), PRICES).total


@given(uploads, fleets, kept)
def test_where_all_else_is_free_only_instances_are_paid_for(sent: Uploads, fleet: Fleet, instances: Kept) -> None:
    assert of_burst(sent, fleet, FREE).total == fleet.dollars
    running = instances.running * HOURS_A_MONTH * instances.price
    assert of_month(instances, FREE).total == pytest.approx(running)


@pytest.mark.parametrize("name", list(Prices.model_fields))
def test_every_price_is_in_some_bill(name: str) -> None:
    only = FREE.model_copy(update={name: 1.0})
    fleet = Fleet(0, 1, 100)
    assert of_burst(Uploads(1000, 60_000), fleet, only).total + of_month(Kept(0, 1, 0.1), only).total > 0


def test_a_hundred_thousand_images_are_two_puts_and_a_get_each_whatever_their_size() -> None:
    small, large = (of_images(Uploads(100_000, size), PRICES) for size in (60_000, 3_000_000))
    # And some listings and looks for results beside them.
    for bill in (small, large):
        assert dollars(bill, "PUT") == pytest.approx(1.00, rel=0.05)
        assert dollars(bill, "GET") == pytest.approx(0.04, rel=0.1)
    assert dollars(large, "kept") == pytest.approx(50 * dollars(small, "kept"), rel=0.01)


def test_what_is_kept_for_a_tenth_of_the_time_costs_a_tenth() -> None:
    month, days = (of_images(Uploads(1000, 60_000, kept_days), PRICES) for kept_days in (30, 3))
    assert dollars(month, "kept") == pytest.approx(10 * dollars(days, "kept"))


def test_a_worker_that_is_kept_running_costs_more_than_its_instance() -> None:
    none, one = (of_month(Kept(running, 0, 0.085), PRICES).total for running in (0, 1))
    assert one - none > 0.085 * HOURS_A_MONTH


def test_a_trigger_that_is_left_out_is_not_paid_for() -> None:
    every, no_wake, none = (
        of_month(Kept(0, 0, 0.085, triggers), PRICES) for triggers in (TRIGGERS, ("schedule",), ("alarm",))
    )
    assert every.total - no_wake.total == pytest.approx(dollars(every, "wake queue"))
    assert no_wake.total - none.total > dollars(every, "Lambda's metrics") > 0
    assert dollars(none, "Lambda") == 0


def test_a_worker_that_stands_by_costs_its_disk_for_the_month() -> None:
    none, two = (of_month(Kept(0, standby, 0.085), PRICES).total for standby in (0, 2))
    assert two - none == pytest.approx(2 * 20 * PRICES.disk_gb_month)
