"""What an image does to the child that computes it, it does to nobody else."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from novaburst.bounds import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS
from novaburst.error_codes import ErrorCode
from tests.photos import imagenet_photos, larger_photos
from tests.poisoned import FOLDER, poison
from worker_ami.worker.classifier import Classifier
from worker_ami.worker.decode import Limits
from worker_ami.worker.engines import open_engine
from worker_ami.worker.isolated import Orders
from worker_ami.worker.isolation import Isolation, IsolationError
from worker_ami.worker.model import Model
from worker_ami.worker.refusal import ImageRefusedError

NewIsolation = Callable[..., Isolation]


@pytest.fixture
def new_isolation(model: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewIsolation]:
    monkeypatch.setenv("PYTHONPATH", str(FOLDER))
    made: list[Isolation] = []

    def build(seconds: float = 20, model_dir: Path = model.folder) -> Isolation:
        orders = Orders(
            model_dir=model_dir,
            engine="onnxruntime",
            max_bytes=MAX_IMAGE_BYTES,
            max_pixels=MAX_IMAGE_PIXELS,
            memory=512 << 20,
        )
        made.append(Isolation(orders, seconds))
        return made[-1]

    yield build
    for isolation in made:
        isolation.close()


@pytest.fixture
def isolation(new_isolation: NewIsolation) -> Isolation:
    return new_isolation()


def daisy() -> bytes:
    return larger_photos()["daisy"].read_bytes()


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


def refusal(isolation: Isolation, content: bytes) -> ImageRefusedError:
    with pytest.raises(ImageRefusedError) as caught:
        isolation.classify(content)
    return caught.value


def test_a_suspect_gets_the_same_answer_as_any_other(isolation: Isolation, model: Model) -> None:
    limits = Limits(bytes=MAX_IMAGE_BYTES, pixels=MAX_IMAGE_PIXELS)
    classifier = Classifier(model, open_engine("onnxruntime", model), limits, threads=1)
    for photo in imagenet_photos()[:3]:
        content = photo.path.read_bytes()
        seen = isolation.classify(content)
        assert seen.guesses == classifier.classify(content).guesses
        assert seen.decode_ms > 0
        assert seen.infer_ms > 0


def test_a_suspect_that_is_only_a_bad_file_gets_its_usual_code(isolation: Isolation) -> None:
    assert refusal(isolation, b"").code is ErrorCode.EMPTY_FILE
    assert refusal(isolation, b"text").code is ErrorCode.NOT_AN_IMAGE
    assert refusal(isolation, daisy()[:5000]).code is ErrorCode.DAMAGED_IMAGE


@pytest.mark.parametrize(("deed", "said"), [("abort", "SIGABRT"), ("segfault", "SIGSEGV"), ("exit", "status 0")])
def test_an_image_that_kills_its_child_is_answered_and_the_next_is_not_harmed(
    isolation: Isolation, deed: str, said: str
) -> None:
    refused = refusal(isolation, poison(deed))
    assert refused.code is ErrorCode.WORKER_CRASHED
    assert said in refused.detail
    assert isolation.classify(daisy()).guesses[0].label == "daisy"


def test_an_image_that_hangs_is_ended_by_its_time_limit(new_isolation: NewIsolation) -> None:
    began = time.monotonic()
    refused = refusal(new_isolation(seconds=1), poison("hang"))
    assert refused.code is ErrorCode.WORKER_CRASHED
    assert "more than 1 s" in refused.detail
    assert time.monotonic() - began < 10


def test_an_image_that_wants_more_memory_than_it_may_have_is_answered(isolation: Isolation) -> None:
    refused = refusal(isolation, poison("hunger"))
    assert refused.code is ErrorCode.WORKER_CRASHED
    assert "512 MiB of memory" in refused.detail


def test_one_child_serves_suspect_after_suspect(isolation: Isolation) -> None:
    before = children()
    isolation.classify(daisy())
    (first,) = children() - before
    isolation.classify(daisy())
    assert children() - before == {first}


def test_an_image_is_not_condemned_for_a_child_that_others_used_before(isolation: Isolation) -> None:
    before = children()
    isolation.classify(daisy())
    (used,) = children() - before
    os.kill(used, signal.SIGSEGV)
    assert isolation.classify(daisy()).guesses[0].label == "daisy"


def test_a_child_that_was_killed_by_someone_is_no_verdict_on_its_image(isolation: Isolation) -> None:
    with pytest.raises(IsolationError, match="killed"):
        isolation.classify(poison("killed from outside"))


def test_a_child_that_cannot_start_is_no_verdict_on_its_image(new_isolation: NewIsolation, tmp_path: Path) -> None:
    with pytest.raises(IsolationError, match="no child could be started"):
        new_isolation(model_dir=tmp_path).classify(daisy())


def test_what_a_library_prints_does_not_end_up_in_the_answer(isolation: Isolation) -> None:
    assert refusal(isolation, poison("noise")).code is ErrorCode.DAMAGED_IMAGE


def test_a_child_ignores_the_signal_that_tells_the_worker_to_stop(isolation: Isolation) -> None:
    before = children()
    isolation.classify(daisy())
    (child,) = children() - before
    os.kill(child, signal.SIGTERM)
    isolation.classify(daisy())
    assert children() - before == {child}


def test_a_child_ends_with_the_thread_that_started_it(isolation: Isolation) -> None:
    before = children()
    thread = threading.Thread(target=isolation.classify, args=(daisy(),))
    thread.start()
    thread.join()
    (child,) = children() - before
    assert psutil.Process(child).wait(5) is not None


def test_many_threads_take_turns(isolation: Isolation) -> None:
    contents = [daisy(), poison("abort"), larger_photos()["palace"].read_bytes()]

    def label(content: bytes) -> str:
        try:
            return isolation.classify(content).guesses[0].label
        except ImageRefusedError as error:
            return error.code

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(label, contents * 2)) == ["daisy", "worker_crashed", "palace"] * 2


def test_a_machine_that_starts_no_process_and_no_thread_says_nothing_of_the_image(
    new_isolation: NewIsolation, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = Orders(model_dir=model.folder, engine="onnxruntime", max_bytes=1, max_pixels=1, memory=512 << 20)
    with pytest.raises(IsolationError, match="no child could be started"):
        Isolation(orders, 20, command=("/nowhere/python",)).classify(daisy())

    def without_room(timer: threading.Timer) -> None:
        raise RuntimeError("can't start new thread")

    before, isolation = children(), new_isolation()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Timer, "start", without_room)
        with pytest.raises(IsolationError, match="can't start new thread"):
            isolation.classify(daisy())
    assert children() == before
    assert isolation.classify(daisy()).guesses[0].label == "daisy"
