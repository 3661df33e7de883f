"""The CPU's part of an image: decode, prepare, infer; as many at once as there are threads, each timed by stage."""

import threading
import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from novaburst.contract import Guess
from worker_ami.worker.decode import Limits, decode
from worker_ami.worker.engines import Engine
from worker_ami.worker.guesses import top_guesses
from worker_ami.worker.model import Model
from worker_ami.worker.preprocessing import prepare

# A large JPEG is decoded at a scale that leaves its short side at least this many times the model's own size, so that
# the model's resampling and not the JPEG's decides what it sees.
SPARE_SCALE = 2


@dataclass(frozen=True)
class Classified:
    """What was seen in an image, and the milliseconds that decoding (with preparing) and inferring took."""

    guesses: tuple[Guess, ...]
    decode_ms: float
    infer_ms: float


class Classifies(Protocol):
    """Whatever can say what is in an image: the worker's own process, or a child that suspects are given to."""

    def classify(self, data: bytes) -> Classified:
        """Classify the bytes of one uploaded file.

        Raises:
            ImageRefusedError: they give no image.
        """
        ...


class Classifier:
    """Shared by all handler threads; at most `threads` images are computed at once."""

    def __init__(self, model: Model, engine: Engine, limits: Limits, threads: int) -> None:
        limits.apply_to_pillow()
        self._model = model
        self._engine = engine
        self._limits = limits
        self._permits = threading.BoundedSemaphore(threads)
        # When each image that is being computed began, by thread.
        self._began: dict[int, float] = {}

    def classify(self, data: bytes) -> Classified:
        """Classify the bytes of one uploaded file.

        Raises:
            ImageRefusedError: they give no image.
        """
        with self._permits:
            began = self._began[threading.get_ident()] = time.perf_counter()
            try:
                return self._classify(data, began)
            finally:
                del self._began[threading.get_ident()]

    def longest_seconds(self) -> float:
        """How long the image that has been computed for longest is being computed; 0 when there is none."""
        now = time.perf_counter()
        return max((now - began for began in list(self._began.values())), default=0.0)

    def _classify(self, data: bytes, began: float) -> Classified:
        preprocessing = self._model.definition.preprocessing
        image = decode(data, self._limits, short_side=SPARE_SCALE * preprocessing.pixels)
        prepared = prepare(image, preprocessing)
        decoded = time.perf_counter()
        (logits,) = self._engine.logits(prepared[np.newaxis])
        guesses = top_guesses(logits, self._model.labels)
        inferred = time.perf_counter()
        return Classified(guesses, (decoded - began) * 1000, (inferred - decoded) * 1000)
