from hypothesis import given
from hypothesis import strategies as st

from web_tier.limiter import Limit, spend, wait_seconds

SECOND = 1_000_000
START = 1_760_000_000 * SECOND
LIMITS = st.builds(Limit, st.integers(1, 5_000), st.sampled_from([60, 86_400]))
# Pauses between attempts, in microseconds, and how much each attempt wants.
ATTEMPTS = st.lists(st.tuples(st.integers(0, 90 * SECOND), st.integers(0, 200)), max_size=60)


def admitted(limit: Limit, attempts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The moments and amounts of those attempts that the limit lets through."""
    until, now, taken = 0, START, []
    for pause, amount in attempts:
        now += pause
        after = spend(limit, until, amount, now)
        if not wait_seconds(limit, after, now):
            until = after
            taken.append((now, amount))
    return taken


@given(LIMITS, ATTEMPTS)
def test_within_any_time_no_more_passes_than_a_periods_amount_and_what_the_time_brings(
    limit: Limit, attempts: list[tuple[int, int]]
) -> None:
    taken = admitted(limit, attempts)
    for first in range(len(taken)):
        total = 0
        for moment, amount in taken[first:]:
            total += amount
            elapsed = moment - taken[first][0]
            # Each step is rounded down to a microsecond.
            slack = 1 + len(taken) * limit.amount / limit.period
            assert total <= limit.amount * (1 + elapsed / limit.period) + slack


@given(LIMITS)
def test_an_idle_token_takes_a_whole_periods_amount_at_once_and_then_waits(limit: Limit) -> None:
    until = spend(limit, 0, limit.amount, START)
    assert wait_seconds(limit, until, START) == 0
    assert wait_seconds(limit, spend(limit, until, max(1, limit.amount // limit.seconds), START), START) >= 1
    # One by one it is as many.
    assert len(admitted(limit, [(0, 1)] * limit.amount)) == limit.amount


@given(LIMITS, ATTEMPTS, st.integers(1, 200))
def test_who_waits_as_long_as_told_is_let_through_and_not_much_earlier(
    limit: Limit, attempts: list[tuple[int, int]], amount: int
) -> None:
    now = START + sum(pause for pause, _ in attempts)
    until = 0
    for _, before in attempts:
        until = spend(limit, until, before, now)
    after = spend(limit, until, min(amount, limit.amount), now)
    wait = wait_seconds(limit, after, now)
    if wait:
        later = now + wait * SECOND
        assert wait_seconds(limit, spend(limit, until, min(amount, limit.amount), later), later) == 0
        early = now + (wait - 1) * SECOND
        assert wait_seconds(limit, spend(limit, until, min(amount, limit.amount), early), early) > 0


@given(LIMITS, st.integers(0, 2**50), st.integers(0, 100))
def test_spending_never_gives_anything_back(limit: Limit, until: int, amount: int) -> None:
    assert spend(limit, until, amount, START) >= max(until, START)
