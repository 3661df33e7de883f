"""Logits become at most five labelled probabilities, the likeliest first."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker_ami.worker.guesses import top_guesses

finite = st.floats(-1e4, 1e4, width=32)


@given(st.lists(finite, min_size=1, max_size=40))
def test_the_guesses_are_the_largest_logits_in_order_with_their_probabilities(logits: list[float]) -> None:
    labels = [str(index) for index in range(len(logits))]
    guesses = top_guesses(np.array(logits, dtype=np.float32), labels)
    assert [logits[int(guess.label)] for guess in guesses] == sorted(logits, reverse=True)[:5]
    scores = [guess.score for guess in guesses]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) <= 1 + 1e-5
    if len(logits) <= 5:
        assert sum(scores) == pytest.approx(1, abs=1e-5)


def test_equal_logits_keep_the_order_of_the_labels() -> None:
    assert [guess.label for guess in top_guesses(np.zeros(3, dtype=np.float32), "abc")] == ["a", "b", "c"]


@pytest.mark.parametrize("logits", [[0.0, float("nan")], [0.0, float("inf")], [0.0], [0.0, 0.0, 0.0]])
def test_what_is_not_one_finite_number_a_label_is_no_answer(logits: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        top_guesses(np.array(logits, dtype=np.float32), ["a", "b"])
