import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from novaburst.polls import Polls

FOREVER = 60


def after(received: int, polls: Polls) -> None:
    assert polls.begin(threading.Event())
    polls.end(received)


def test_one_receive_is_under_way_while_little_comes() -> None:
    polls = Polls(8)
    for received in (0, 1, 4, 0):
        after(received, polls)
    assert polls.allowed == 1


def test_full_answers_let_more_receive_at_once_and_empty_ones_fewer() -> None:
    polls = Polls(3)
    after(10, polls)
    assert polls.allowed == 2
    for _ in range(5):
        after(10, polls)
    assert polls.allowed == 3
    after(0, polls)
    assert polls.allowed == 2


def test_an_answer_that_is_half_full_says_that_more_waits() -> None:
    polls = Polls(1)
    seen = []
    for received in (0, 10, 4, 5):
        after(received, polls)
        seen.append(polls.many)
    assert seen == [False, True, False, True]


@given(st.lists(st.integers(0, 10), max_size=60))
def test_there_is_always_a_turn_to_be_had_and_never_more_than_allowed(received: list[int]) -> None:
    polls = Polls(4)
    for count in received:
        after(count, polls)
    assert 1 <= polls.allowed <= 4


def test_after_a_failure_one_pauses_for_all_and_longer_each_time() -> None:
    polls, stop = Polls(4), threading.Event()
    stop.set()
    after(10, polls)
    pauses = []
    for _ in range(8):
        seconds = polls.failing()
        assert seconds is not None
        assert polls.failing() is None
        pauses.append(seconds)
        polls.pause(stop, seconds)
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert polls.allowed == 1
    polls.succeeded()
    assert polls.failing() == 0.5


def test_nobody_begins_in_a_pause_and_all_who_wait_end_with_the_stop() -> None:
    polls, stop = Polls(4), threading.Event()
    seconds = polls.failing()
    with ThreadPoolExecutor(5) as pool:
        waiting = [pool.submit(polls.begin, stop) for _ in range(4)]
        pausing = pool.submit(polls.pause, stop, FOREVER)
        assert seconds is not None
        assert not any(turn.done() for turn in waiting)
        stop.set()
        pausing.result(FOREVER)
        assert [turn.result(FOREVER) for turn in waiting] == [False] * 4


def test_a_turn_that_waits_begins_when_another_has_brought_enough() -> None:
    polls, stop = Polls(2), threading.Event()
    assert polls.begin(stop)
    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(polls.begin, stop) for _ in range(2)]
        assert not any(other.done() for other in others)
        polls.end(10)
        assert [other.result(FOREVER) for other in others] == [True, True]
