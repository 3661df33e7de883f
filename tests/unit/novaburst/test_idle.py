"""Who stays idle for how long."""

from hypothesis import given
from hypothesis import strategies as st

from novaburst.idle import LEAST_BILLED_SECONDS, patience

IDLE = st.integers(1, 3600)
PLACE = st.integers(0, 1000)
PAID = st.floats(-86_400, LEAST_BILLED_SECONDS)


@given(IDLE, st.floats(-86_400, 0))
def test_the_first_of_a_launch_stays_for_as_long_as_the_operator_says(idle: int, paid: float) -> None:
    assert patience(idle, 0, paid) == idle


@given(IDLE, PLACE, PAID)
def test_nobody_leaves_what_is_paid_for_nor_stays_longer_than_the_first_or_that(
    idle: int, place: int, paid: float
) -> None:
    assert max(idle / 6, paid) <= patience(idle, place, paid) <= max(idle, paid)


def test_everybody_stays_while_it_costs_nothing() -> None:
    assert patience(30, 0, paid_ahead=50) == 50
    assert patience(30, 1, paid_ahead=40) == 40


def test_the_others_stay_for_a_sixth_else() -> None:
    assert patience(30, 1, paid_ahead=16) == 16
    assert patience(30, 19, paid_ahead=4) == 5
    assert patience(30, 19, paid_ahead=-1000) == 5
