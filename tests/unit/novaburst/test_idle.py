"""Who stays idle for how long."""

from hypothesis import given
from hypothesis import strategies as st

from novaburst.idle import LEAST_BILLED_SECONDS, patience

IDLE = st.integers(1, 3600)
PLACE = st.integers(0, 1000)
PAID = st.floats(-86_400, LEAST_BILLED_SECONDS)


@given(IDLE, PAID)
def test_the_first_of_a_launch_stays_for_as_long_as_the_operator_says(idle: int, paid: float) -> None:
    assert patience(idle, 0, paid) == idle


@given(IDLE, PLACE, PAID)
def test_nobody_stays_longer_nor_less_than_a_sixth(idle: int, place: int, paid: float) -> None:
    assert idle / 6 <= patience(idle, place, paid) <= idle


def test_the_others_stay_while_it_costs_nothing_and_else_for_a_sixth() -> None:
    assert patience(30, 1, paid_ahead=40) == 30
    assert patience(30, 1, paid_ahead=16) == 16
    assert patience(30, 19, paid_ahead=4) == 5
    assert patience(30, 19, paid_ahead=-1000) == 5
