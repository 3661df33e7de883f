"""How often the bucket is asked for an image that somebody asks for again and again."""

from collections.abc import Callable

import pytest

from novaburst.bounds import MAX_RESULT_BYTES
from novaburst.contract import Result, result_key
from web_tier.answers import Answers
from web_tier.deployment import Deployment
from web_tier.images import Image, State
from web_tier.notifier import Notifier
from web_tier.store import Store

NOW = 1_000_000.0


@pytest.fixture
def moment() -> list[float]:
    """The time, to be set."""
    return [NOW]


@pytest.fixture
def looks(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that the out-bucket was asked for."""
    keys: list[str] = []
    get: Callable[..., bytes] = deployment.out_bucket.get

    def seen(key: str, **limits: int) -> bytes:
        keys.append(key)
        return get(key, **limits)

    monkeypatch.setattr(deployment.out_bucket, "get", seen)
    return keys


@pytest.fixture
def answers(store: Store, deployment: Deployment, moment: list[float]) -> Answers:
    store.add_batch("b", NOW)
    store.add_image(Image("a", "b", "cat.jpg", 1, State.QUEUED, NOW))
    return Answers(store, deployment.out_bucket, Notifier(store), clock=lambda: moment[0])


def test_whoever_polls_for_a_pending_image_costs_s3_one_request_in_three_seconds(
    answers: Answers, moment: list[float], looks: list[str]
) -> None:
    for tenth in range(100):
        moment[0] = NOW + tenth / 10
        found = answers.find("a")
        assert found is not None
        assert found.pending
    assert looks == [result_key("a")] * 3


def test_a_result_that_nobody_told_of_is_found_at_the_next_look(
    answers: Answers, moment: list[float], deployment: Deployment
) -> None:
    moment[0] += 2
    answers.find("a")
    result = Result(id="a", batch="b", name="cat.jpg", label="cat", score=1, worker="i-1")
    deployment.out_bucket.put(result_key("a"), result.to_json().encode())
    moment[0] += 3
    found = answers.find("a")
    assert found is not None
    assert found.result == result


def test_a_result_object_that_is_far_too_long_is_not_read_and_keeps_nobody_from_its_image(
    answers: Answers, moment: list[float], deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    result = Result(id="a", batch="b", name="x" * MAX_RESULT_BYTES, label="cat", score=1, worker="i-1")
    deployment.out_bucket.put(result_key("a"), result.to_json().encode())
    moment[0] += 2
    found = answers.find("a")
    assert found is not None
    assert found.pending
    assert f"the limit is {MAX_RESULT_BYTES}" in caplog.text


def test_images_beyond_those_that_are_remembered_are_asked_for_all_the_same(
    answers: Answers, store: Store, moment: list[float], looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web_tier.answers._REMEMBERED", 2)
    names = [f"i{number}" for number in range(5)]
    for name in names:
        store.add_image(Image(name, "b", "cat.jpg", 1, State.QUEUED, NOW))
    moment[0] += 2
    for name in names:
        answers.find(name)
    assert looks == [result_key(name) for name in names]
