import pytest

from novaburst.contract import Request, Result, result_key, utc_now
from novaburst.error_codes import ErrorCode
from web_tier.dead_letters import DeadLetters
from web_tier.deployment import Deployment
from web_tier.images import Image, State
from web_tier.store import Store


@pytest.fixture
def dead_letters(deployment: Deployment, store: Store) -> DeadLetters:
    store.add_batch("b", 1.0)
    store.add_image(Image("a", "b", "cat.jpg", 1, State.QUEUED, 1.0))
    return DeadLetters(deployment, store, clock=lambda: 2.0)


def letter(deployment: Deployment) -> str:
    bucket = deployment.in_bucket.name
    return Request(id="a", batch="b", bucket=bucket, key="a", name="cat.jpg", sent=utc_now()).to_message()


def test_a_request_that_sqs_gave_up_on_is_answered_in_the_bucket_and_the_store(
    deployment: Deployment, store: Store, dead_letters: DeadLetters
) -> None:
    deployment.dead_letter_queue.send([letter(deployment)])
    assert dead_letters.answer() == 1
    stored = Result.parse(deployment.out_bucket.get(result_key("a")))
    image = store.image("a")
    assert image is not None
    assert image.result == stored
    assert stored.error is not None
    assert stored.error.code == ErrorCode.WORKER_CRASHED
    assert deployment.dead_letter_queue.depth().backlog == 0


def test_a_label_that_a_worker_left_before_it_died_is_not_overwritten(
    deployment: Deployment, store: Store, dead_letters: DeadLetters
) -> None:
    label = Result(id="a", batch="b", name="cat.jpg", label="cat", score=1, worker="i-1")
    deployment.out_bucket.put(result_key("a"), label.to_json().encode())
    deployment.dead_letter_queue.send([letter(deployment)])
    dead_letters.answer()
    image = store.image("a")
    assert image is not None
    assert image.result == label


def test_a_result_of_a_later_version_is_not_overwritten_with_an_error(
    deployment: Deployment, store: Store, dead_letters: DeadLetters
) -> None:
    deployment.out_bucket.put(result_key("a"), b'{"v":2}')
    deployment.dead_letter_queue.send([letter(deployment)])
    assert dead_letters.answer() == 0
    assert deployment.out_bucket.get(result_key("a")) == b'{"v":2}'
    assert deployment.dead_letter_queue.depth().backlog == 1
    assert store.counts().failed == 0


def test_a_letter_that_nobody_can_read_stays_for_the_operator_and_stops_no_other(
    deployment: Deployment, store: Store, dead_letters: DeadLetters
) -> None:
    deployment.dead_letter_queue.send(["nobody can read this", letter(deployment)])
    assert dead_letters.answer() == 1
    assert deployment.dead_letter_queue.depth().backlog == 1


def test_letters_that_nobody_can_read_stop_no_other_however_many_come_first(
    deployment: Deployment, store: Store, dead_letters: DeadLetters, caplog: pytest.LogCaptureFixture
) -> None:
    deployment.dead_letter_queue.send([f"nobody can read {number}" for number in range(25)])
    deployment.dead_letter_queue.send([letter(deployment)])
    assert dead_letters.answer() == 1
    assert store.counts().failed == 1
    assert deployment.dead_letter_queue.depth().backlog == 25
    # And they do not fill the log.
    assert len(caplog.messages) == 12
    assert "15 more" in caplog.text
