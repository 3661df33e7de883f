"""The load benchmark names what must not be; the rest of it is the system itself."""

from typing import Any

import pytest

from bench.load import faults, fifths

FLAT = {
    "nginx": [5.0] * 10,
    "web tier": [100, 150, *[180.0] * 8],
    "listener": [50.0] * 10,
    "embedded AWS": [1.0, 900.0],
}
FINE: dict[str, Any] = {"lost": [], "contradicted": [], "rude": {}, "put_off": {"503": 9}, "broken": {}}


def test_memory_is_judged_by_the_means_of_five_fifths() -> None:
    assert fifths([1, 3, 2, 2, 5, 5, 0, 0, 9, 9]) == [2, 2, 5, 0, 9]
    assert fifths([]) == [0] * 5


def test_overload_that_is_put_off_and_memory_that_settles_are_no_fault() -> None:
    assert faults(FINE, FLAT) == []


@pytest.mark.parametrize(
    ("tally", "memory", "words"),
    [
        ({"lost": ["batch"]}, {}, "1 lost"),
        ({"contradicted": ["photo"]}, {}, "1 contradicted"),
        ({"rude": {"500": 1}}, {}, "refusals without a Retry-After"),
        ({"broken": {"Reset": 2, "Closed": 1}}, {}, "3 connections without an answer"),
        ({}, {"listener": [50.0 + look for look in range(20)]}, "listener grew from 56 to 68 MiB"),
    ],
)
def test_a_loss_a_rude_answer_or_a_part_that_grows_is_named(
    tally: dict[str, Any], memory: dict[str, list[float]], words: str
) -> None:
    (named,) = faults(FINE | tally, FLAT | memory)
    assert named == words
