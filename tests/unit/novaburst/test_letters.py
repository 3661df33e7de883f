"""What becomes of a dead letter, decided from its body and from what the buckets say."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novaburst.contract import Request, Result, utc_now
from novaburst.letters import Facts, Letter, Step, What, plan_answer, plan_redrive, read, why
from novaburst.queues import Received

REQUEST = Request(id="a", batch="b", bucket="novatest-in-bucket", key="a", name="cat.jpg", sent=utc_now())
LABEL = Result(id="a", batch="b", name="cat.jpg", label="cat", score=1, worker="i-1")
FUTURE = '{"v":2,"id":"a","batch":"b","where":"elsewhere"}'
THERE, GONE = Facts(stored=True), Facts(stored=False)


def letter(body: str = REQUEST.to_message()) -> Letter:
    return read(Received("m", body, "handle", 9, 1000))


def code(step: Step) -> str | None:
    assert step.result is not None
    return step.result.error and str(step.result.error.code)


def test_a_request_that_is_unanswered_and_whose_image_is_there_is_sent_back() -> None:
    assert plan_redrive(letter(), THERE).what is What.SEND_BACK


@pytest.mark.parametrize("plan", [plan_redrive, plan_answer])
def test_what_has_its_answer_is_neither_classified_again_nor_answered_otherwise(
    plan: Callable[[Letter, Facts], Step],
) -> None:
    for facts in (Facts(LABEL, stored=True), Facts(LABEL, stored=False)):
        step = plan(letter(), facts)
        assert (step.what, step.result) == (What.TELL, LABEL)


@pytest.mark.parametrize("plan", [plan_redrive, plan_answer])
def test_an_answer_of_a_later_version_is_not_overwritten(plan: Callable[[Letter, Facts], Step]) -> None:
    step = plan(letter(), Facts(unread_answer="v: Input should be 1", stored=True))
    assert step.what is What.LEAVE
    assert "v: Input should be 1" in step.why


def test_a_request_whose_image_is_gone_is_not_sent_to_a_worker_but_answered_as_missing() -> None:
    step = plan_redrive(letter(), GONE)
    assert (step.what, "answer it" in step.why) == (What.LEAVE, True)
    step = plan_answer(letter(), GONE)
    assert (step.what, code(step)) == (What.ANSWER, "object_missing")


def test_a_request_that_no_worker_lived_to_answer_is_answered_as_such_for_its_batch() -> None:
    step = plan_answer(letter(), THERE)
    assert (step.what, code(step)) == (What.ANSWER, "worker_crashed")
    assert step.result is not None
    assert (step.result.id, step.result.batch, step.result.name) == ("a", "b", "cat.jpg")


def test_the_operators_words_are_what_clients_read() -> None:
    for body in (REQUEST.to_message(), FUTURE):
        result = plan_answer(letter(body), THERE, "the AMI was broken").result
        assert result is not None
        assert result.error is not None
        assert result.error.detail == "the AMI was broken"


def test_a_format_from_the_future_stays_for_workers_that_know_it_or_is_answered_by_its_id() -> None:
    future = letter(FUTURE)
    assert future.image == "a"
    step = plan_redrive(future, Facts())
    assert step.what is What.LEAVE
    assert "v: Input should be 1" in step.why
    step = plan_answer(future, Facts())
    assert (step.what, code(step)) == (What.ANSWER, "internal_error")
    assert step.result is not None
    assert step.result.batch == "b"


def test_what_has_no_id_stays() -> None:
    for plan in (plan_redrive, plan_answer):
        assert plan(letter("nobody can read this"), Facts()).what is What.LEAVE


def test_each_reason_is_told_apart() -> None:
    reasons = {
        why(letter(), THERE),
        why(letter(), GONE),
        why(letter(), Facts(LABEL, stored=True)),
        why(letter(), Facts(unread_answer="v", stored=True)),
        why(letter(FUTURE), Facts()),
    }
    assert len(reasons) == 5


FIELDS = st.sampled_from(["v", "id", "batch", "bucket", "key", "name", "sent"])
JSON = st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=2))


@given(st.text() | st.dictionaries(FIELDS, JSON).map(json.dumps), st.sampled_from([THERE, GONE, Facts()]))
def test_whatever_a_body_holds_it_stays_or_its_answer_can_be_stored(body: str, facts: Facts) -> None:
    odd = letter(body)
    assert why(odd, facts)
    assert plan_redrive(odd, facts).what in {What.SEND_BACK, What.LEAVE}
    step = plan_answer(odd, facts)
    assert (step.what is What.ANSWER) == (odd.image is not None)
    if step.result is not None:
        assert Result.parse(step.result.to_json()).id == odd.image
