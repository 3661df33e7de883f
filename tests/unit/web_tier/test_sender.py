from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import cast

import pytest
from botocore.exceptions import ReadTimeoutError

from novaburst.contract import Request, utc_now
from novaburst.queues import Queue
from tests.unit.web_tier.sent import Sent
from web_tier import sender as sending
from web_tier.sender import Sender
from web_tier.store import Store


def request(image_id: str) -> Request:
    return Request(id=image_id, batch="b", bucket="in-bucket", key=image_id, name="cat.jpg", sent=utc_now())


@pytest.mark.parametrize("started", [0, 1])
def test_a_sender_that_could_not_start_all_its_threads_sends_what_it_has_taken_and_tries_again(
    tmp_path: Path, threadless: Callable[..., AbstractContextManager[None]], started: int
) -> None:
    sent = Sent()
    with (
        closing(Store(tmp_path / "store.sqlite3")) as store,
        closing(Sender(lambda: cast(Queue, sent), store, lambda: None)) as sender,
    ):
        with threadless(after=started):
            if started:
                assert sender.submit(request("a")).result(10)
            else:
                with pytest.raises(RuntimeError):
                    sender.submit(request("refused"))
        assert sender.submit(request("b")).result(10)
    assert [Request.parse(body).id for body in sent.messages] == (["a", "b"] if started else ["b"])


@pytest.mark.parametrize(("patience", "attempts"), [(0.0, 1), (15.0, 4)])
def test_an_sqs_that_never_answers_is_asked_no_more_when_a_client_has_waited_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: float, attempts: int
) -> None:
    asked: list[list[str]] = []

    class Silent:
        def send(self, bodies: list[str]) -> list[int]:
            asked.append(bodies)
            raise ReadTimeoutError(endpoint_url="http://sqs")

    monkeypatch.setattr(sending, "_PATIENCE_SECONDS", patience)
    monkeypatch.setattr(sending, "_RETRY_AFTER", (0.01, 0.01, 0.01))
    with (
        closing(Store(tmp_path / "store.sqlite3")) as store,
        closing(Sender(lambda: cast(Queue, Silent()), store, lambda: None)) as sender,
    ):
        assert sender.submit(request("a")).result(10) is False
    assert len(asked) == attempts
