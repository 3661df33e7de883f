"""The messages: what fits, what is cut, what is refused."""

import json
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novaburst.bounds import MAX_MESSAGE_BYTES, POISON_RECEIVE_COUNT
from novaburst.bounds import MAX_RECEIVE_COUNT as SQS_GIVES_UP
from novaburst.contract import CUT_MARK, ContractError, Failure, Guess, Request, Result, cut, new_id, utc_now
from novaburst.error_codes import REMEDIES, ErrorCode

TEXT = st.text(max_size=400)


def request(name: str = "cat.jpg", key: str = "k") -> Request:
    return Request(id=new_id(), batch=str(uuid.uuid4()), bucket="b" * 63, key=key, name=name, sent=utc_now())


def result(**fields: object) -> Result:
    return Result.model_validate({"id": new_id(), "batch": str(uuid.uuid4()), "name": "n", "worker": "i-1", **fields})


@given(TEXT)
def test_a_request_with_any_name_fits_and_comes_back(name: str) -> None:
    sent = request(name=name)
    body = sent.to_message()
    assert len(body.encode()) <= MAX_MESSAGE_BYTES
    assert body.isascii()
    back = Request.parse(body)
    assert back.model_copy(update={"name": name}) == sent
    assert back.name == name or (back.name.endswith(CUT_MARK) and name.startswith(back.name[:-1]))


@given(TEXT, TEXT, st.lists(TEXT, max_size=5), st.one_of(st.none(), TEXT))
def test_a_result_with_any_texts_fits_and_says_when_it_is_cut(
    name: str, label: str, guesses: list[str], detail: str | None
) -> None:
    whole = (
        result(name=name, label=label, score=0.5, top5=[Guess(label=g, score=0.1) for g in guesses])
        if detail is None
        else result(name=name, error=Failure(code=ErrorCode.DAMAGED_IMAGE, detail=detail))
    )
    body = whole.to_message()
    assert len(body.encode()) <= MAX_MESSAGE_BYTES
    back = Result.parse(body)
    assert back.id == whole.id
    assert (back == whole) != back.cut
    assert (back.error is None) == (whole.error is None)


def test_a_key_that_leaves_no_room_is_refused_by_name() -> None:
    with pytest.raises(ContractError, match="does not fit"):
        request(key="k" * 1000).to_message()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"v": 2}, "v: Input should be 1"),
        ({"id": "../etc"}, "id: String should match"),
        ({"id": None}, "id: "),
        ({"bucket": ""}, "bucket: "),
        ({"sent": "yesterday"}, "sent: "),
    ],
)
def test_a_request_that_is_not_of_the_contract_is_refused_with_the_field(
    change: dict[str, object], reason: str
) -> None:
    body = json.dumps({**json.loads(request().to_json()), **change})
    with pytest.raises(ContractError, match=reason):
        Request.parse(body)


@pytest.mark.parametrize("body", ["", "null", "[]", "{", '"text"', "\ud800".encode("utf-8", "surrogatepass"), b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(body: str | bytes) -> None:
    with pytest.raises(ContractError):
        Request.parse(body)


def test_a_result_has_a_label_or_an_error_and_never_both() -> None:
    error = {"code": "not_an_image", "detail": ""}
    with pytest.raises(ValueError, match="either a label or an error"):
        result()
    with pytest.raises(ValueError, match="either a label or an error"):
        result(label="cat", error=error)
    assert result(error=error).error is not None


def test_fields_of_a_later_minor_version_are_ignored() -> None:
    body = json.dumps({**json.loads(request().to_json()), "colour": "red"})
    assert Request.parse(body).name == "cat.jpg"


@given(TEXT, st.integers(min_value=6, max_value=500))
def test_a_cut_text_is_a_start_of_the_text_within_the_room(text: str, room: int) -> None:
    short = cut(text, room)
    assert len(json.dumps(short)) - 2 <= room
    assert short == text or text.startswith(short.removesuffix(CUT_MARK))


def test_ids_are_unique_and_sort_by_time() -> None:
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert ids == sorted(ids)
    assert all(uuid.UUID(i).version == 7 and uuid.UUID(i).variant == uuid.RFC_4122 for i in ids)


def test_an_id_begins_with_the_milliseconds_of_its_making() -> None:
    before, made, after = time.time_ns(), uuid.UUID(new_id()), time.time_ns()
    assert before // 1_000_000 <= made.int >> 80 <= after // 1_000_000


def test_every_error_code_has_a_remedy() -> None:
    assert set(REMEDIES) == set(ErrorCode)


def test_a_poisoned_message_is_answered_before_sqs_gives_it_up() -> None:
    assert POISON_RECEIVE_COUNT < SQS_GIVES_UP
