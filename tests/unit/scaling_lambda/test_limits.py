"""A person's minimum for once, on top of the operator's limits."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from scaling_lambda.policy import Limits


@given(st.data())
def test_a_persons_minimum_never_lowers_the_operators_nor_passes_the_maximum(data: st.DataObject) -> None:
    maximum = data.draw(st.integers(0, 20))
    minimum = data.draw(st.integers(0, maximum))
    asked = data.draw(st.integers(0, 1000))
    limits = Limits(
        minimum=minimum,
        maximum=maximum,
        images_per_worker=10,
        images_per_second=1,
        boot_grace=timedelta(minutes=3),
        confirm_after=timedelta(minutes=2),
        idle_confirm_after=timedelta(minutes=15),
        max_age=timedelta(hours=24),
    )
    raised = limits.at_least(asked)
    assert minimum <= raised.minimum <= maximum
    assert raised.minimum == min(max(minimum, asked), maximum)
    assert (limits.asked, raised.asked) == (0, min(asked, maximum))
