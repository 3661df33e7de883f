"""The CPU's part of an image: decode, prepare, infer; by several threads, in groups, and timed by stage."""

import math
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from novaburst.contract import Guess
from worker_ami.worker.decode import Limits, decode
from worker_ami.worker.engines import Engine
from worker_ami.worker.guesses import top_guesses
from worker_ami.worker.model import Model
from worker_ami.worker.preprocessing import prepare
from worker_ami.worker.refusal import ImageRefusedError

# A large JPEG is decoded at a scale that leaves its short side at least this many times the model's own size, so that
# the model's resampling and not the JPEG's decides what it sees.
SPARE_SCALE = 2
# The files that one thread takes at once: of 4, 8, 10 and 16 the least that gains all there is to gain.
GROUP = 8


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


@dataclass
class _Job:
    """One file on its way through the steps; `seen` is done when it has its answer, or an error."""

    data: bytes
    seen: "Future[Classified]"
    prepared: NDArray[np.float32] = field(init=False)
    logits: NDArray[np.float32] = field(init=False)
    guesses: tuple[Guess, ...] = field(init=False)
    decode_ms: float = 0.0
    infer_ms: float = 0.0


class Classifier:
    """Shared by all handler threads; computes in `threads` threads of its own, which live as long as the process.

    They share what waits, up to `GROUP` files each, and take each step for a whole group before the next one. A forward
    pass goes through more memory than a core's cache holds, so that all else starts from memory again after it: once a
    group instead of once an image.
    """

    def __init__(self, model: Model, engine: Engine, limits: Limits, threads: int) -> None:
        limits.apply_to_pillow()
        self._model = model
        self._engine = engine
        self._limits = limits
        self._threads = threads
        self._waiting: deque[_Job] = deque()
        self._arrived = threading.Condition()
        # When what each thread is computing began.
        self._began: dict[int, float] = {}
        for number in range(threads):
            threading.Thread(name=f"classifier-{number}", target=self._run, daemon=True).start()

    def classify(self, data: bytes) -> Classified:
        """Classify the bytes of one uploaded file.

        Raises:
            ImageRefusedError: they give no image.
        """
        job = _Job(data, Future())
        with self._arrived:
            self._waiting.append(job)
            self._arrived.notify()
        try:
            return job.seen.result()
        finally:
            # An error keeps this frame, which would keep the job, which keeps the error.
            del job

    def longest_seconds(self) -> float:
        """How long the image that has been computed for longest is being computed; 0 when there is none."""
        now = time.perf_counter()
        return max((now - began for began in list(self._began.values())), default=0.0)

    def _run(self) -> None:
        while True:
            # Nothing of a group stays here while the next one is waited for.
            self._work_on(self._next_group())

    def _work_on(self, group: list[_Job]) -> None:
        for step in (self._decode, self._infer, self._guess):
            for job in group:
                if not job.seen.done():
                    self._do(step, job)
        for job in group:
            if not job.seen.done():
                job.seen.set_result(Classified(job.guesses, job.decode_ms, job.infer_ms))

    def _next_group(self) -> list[_Job]:
        with self._arrived:
            self._arrived.wait_for(lambda: self._waiting)
            share = math.ceil(len(self._waiting) / self._threads)
            return [self._waiting.popleft() for _ in range(min(share, GROUP))]

    def _do(self, step: Callable[[_Job], None], job: _Job) -> None:
        self._began[threading.get_ident()] = time.perf_counter()
        failure: BaseException | None = None
        try:
            step(job)
        # Raised where it is waited for, and no matter of the others in the group.
        except BaseException as error:
            failure = error
        del self._began[threading.get_ident()]
        if failure is not None:
            job.seen.set_exception(_bare(failure))

    def _decode(self, job: _Job) -> None:
        began = time.perf_counter()
        preprocessing = self._model.definition.preprocessing
        image = decode(job.data, self._limits, short_side=SPARE_SCALE * preprocessing.pixels)
        job.prepared = prepare(image, preprocessing)
        job.decode_ms = (time.perf_counter() - began) * 1000

    def _infer(self, job: _Job) -> None:
        began = time.perf_counter()
        (job.logits,) = self._engine.logits(job.prepared[np.newaxis])
        job.infer_ms = (time.perf_counter() - began) * 1000

    def _guess(self, job: _Job) -> None:
        job.guesses = top_guesses(job.logits, self._model.labels)


def _bare(error: BaseException) -> BaseException:
    """The error without the frames that it came through, nor its cause: an unexpected one says these in a note.

    Those hold the image, as far as it was decoded, and the job, which holds the error: only the collector of cycles
    would free them, and that counts objects. Forty damaged images of 64 megapixels kept 7 GB.
    """
    if not isinstance(error, ImageRefusedError | MemoryError):
        error.add_note("".join(traceback.format_exception(error)))
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
