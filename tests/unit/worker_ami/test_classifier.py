"""Each file gets its own answer or its own error, whatever shares its group; what lasts is seen to last."""

import gc
import io
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from novaburst.error_codes import ErrorCode
from worker_ami.worker.classifier import GROUP, Classified, Classifier
from worker_ami.worker.decode import Limits
from worker_ami.worker.model import Model, ModelDefinition, Preprocessing, Proof
from worker_ami.worker.refusal import ImageRefusedError

LABELS = tuple(f"shade {shade}" for shade in range(0, 256, 5))
LIMITS = Limits(bytes=1 << 20, pixels=1 << 20)
WRONG = b"no image"
# A shade at which the engine below fails.
FAULTY = 250
MODEL = Model(
    Path(),
    ModelDefinition(
        name="shades",
        classes=len(LABELS),
        preprocessing=Preprocessing(resize=8, interpolation="bilinear", crop=8, mean=(0, 0, 0), std=(1, 1, 1)),
        files={},
        weights="none",
        versions={},
        proof=Proof(images=1, largest_logit_difference=0),
    ),
    LABELS,
)


class Shades:
    """An engine whose class is an image's shade of grey. It waits for `go_on`, and counts those within at once."""

    def __init__(self) -> None:
        self.began, self.go_on = Event(), Event()
        self.most = 0
        self._within = 0
        self._lock = Lock()

    def logits(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        with self._lock:
            self._within += 1
            self.most = max(self.most, self._within)
        self.began.set()
        assert self.go_on.wait(30)
        time.sleep(0.001)
        with self._lock:
            self._within -= 1
        shade = round(float(images.mean()))
        if shade == FAULTY:
            raise RuntimeError("out of order")
        return np.eye(len(LABELS), dtype=np.float32)[[shade // 5]]


def image(shade: int) -> bytes:
    content = io.BytesIO()
    Image.new("L", (16, 16), shade).save(content, "PNG")
    return content.getvalue()


def until_first_is_within(engine: Shades) -> None:
    assert engine.began.wait(30)


@pytest.mark.parametrize("threads", [1, 3])
def test_each_file_gets_its_own_answer_or_error_whatever_is_computed_beside_it(threads: int) -> None:
    engine = Shades()
    classifier = Classifier(MODEL, engine, LIMITS, threads)
    files: dict[str, bytes] = {label: image(5 * number) for number, label in enumerate(LABELS)}
    files |= {f"wrong {number}": WRONG for number in range(GROUP)}
    with ThreadPoolExecutor(len(files)) as handlers:
        # Begun one first, so that all the others wait and are taken in groups.
        first = handlers.submit(classifier.classify, image(0))
        until_first_is_within(engine)
        outcomes: dict[str, Future[Classified]] = {
            name: handlers.submit(classifier.classify, data) for name, data in files.items()
        }
        engine.go_on.set()
    assert first.result().guesses[0].label == LABELS[0]
    for name, outcome in outcomes.items():
        if name.startswith("wrong"):
            with pytest.raises(ImageRefusedError) as refusal:
                outcome.result()
            assert refusal.value.code == ErrorCode.NOT_AN_IMAGE
        elif name == f"shade {FAULTY}":
            with pytest.raises(RuntimeError, match="out of order"):
                outcome.result()
        else:
            assert outcome.result().guesses[0].label == name
    assert engine.most <= threads
    assert classifier.longest_seconds() == 0


def test_what_waits_is_shared_among_the_threads() -> None:
    engine = Shades()
    classifier = Classifier(MODEL, engine, LIMITS, threads=2)
    with ThreadPoolExecutor(3) as handlers:
        for shade in (0, 5, 10):
            handlers.submit(classifier.classify, image(shade))
        deadline = time.monotonic() + 30
        while engine.most < 2:
            assert time.monotonic() < deadline, "one thread took all, and the other has nothing to do"
            time.sleep(0.005)
        engine.go_on.set()


@pytest.mark.parametrize("damage", ["cut short", "not an image", "no answer of the engine"])
def test_nothing_of_a_refused_image_stays_in_memory(damage: str) -> None:
    engine = Shades()
    engine.go_on.set()
    classifier = Classifier(MODEL, engine, LIMITS, threads=1)
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(noise).save(content, "PNG")
    data = {"cut short": content.getvalue()[:-1000], "not an image": WRONG}.get(damage) or image(FAULTY)
    gc.collect()
    # The collector of cycles counts objects: some damaged images can fill the memory before it thinks of them.
    gc.disable()
    try:
        before = _large_objects()
        for _ in range(3):
            with pytest.raises((ImageRefusedError, RuntimeError)):
                classifier.classify(bytes(bytearray(data)))
        assert _large_objects() == before
    finally:
        gc.enable()


def _large_objects() -> int:
    # The job holds the file and what was prepared of it, as an array. isinstance would ask each object for its class,
    # of which some of other libraries warn.
    kinds = map(type, gc.get_objects())
    return sum(issubclass(kind, Image.Image) or kind.__name__ == "_Job" for kind in kinds)


def test_an_image_that_is_being_computed_is_timed_while_it_is_and_no_longer() -> None:
    engine = Shades()
    classifier = Classifier(MODEL, engine, LIMITS, threads=1)
    assert classifier.longest_seconds() == 0
    with ThreadPoolExecutor(1) as handlers:
        handlers.submit(classifier.classify, image(5))
        until_first_is_within(engine)
        time.sleep(0.02)
        assert classifier.longest_seconds() >= 0.02
        engine.go_on.set()
    assert classifier.longest_seconds() == 0
