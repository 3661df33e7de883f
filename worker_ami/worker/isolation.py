"""Suspect images, computed one at a time in a child process, so that what they do to it they do to nobody else.

A message that was delivered before may be the one its worker died of. Its image never again meets the worker's own
process: a crash, a hang or a hunger for memory ends the child and is the answer for this image alone. A child that
survives serves the next suspect as well; a death counts against an image only when the child was new, since an earlier
image may have harmed an older one. So an image is tried at most once beside others and twice alone.
"""

import contextlib
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import IO

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from novaburst.contract import Guess
from novaburst.error_codes import ErrorCode
from worker_ami.worker.classifier import Classified
from worker_ami.worker.isolated import OUT_OF_MEMORY, Orders, read_frame, write_frame
from worker_ami.worker.refusal import ImageRefusedError

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "worker_ami.worker.isolated")
# What a child answers fits easily: five labels, or a refusal's sentence.
_ANSWER_BYTES = 1 << 20
_START_SECONDS = 30.0
_EXIT_SECONDS = 1.0


class IsolationError(RuntimeError):
    """The child said nothing about the image: it did not start, or something else killed it. Worth another try."""


class _Seen(BaseModel):
    """A child's answer with guesses."""

    model_config = ConfigDict(extra="forbid")

    guesses: tuple[Guess, ...]
    decode_ms: float
    infer_ms: float


class _Refused(BaseModel):
    """A child's answer without."""

    model_config = ConfigDict(extra="forbid")

    code: ErrorCode
    detail: str


_ANSWER: TypeAdapter[_Seen | _Refused] = TypeAdapter(_Seen | _Refused)


class _DiedError(Exception):
    """The child ended over an image: `status` as subprocess gives it, `late` when its time was up."""

    def __init__(self, status: int, late: bool) -> None:
        super().__init__()
        self.status = status
        self.late = late


class Isolation:
    """Shared by all handler threads; one suspect is computed at a time, for at most `seconds`."""

    def __init__(self, orders: Orders, seconds: float, command: Sequence[str] = COMMAND) -> None:
        self._orders = orders
        self._seconds = seconds
        self._command = (*command, orders.model_dump_json())
        self._turn = threading.Lock()
        self._child: _Child | None = None

    def classify(self, data: bytes) -> Classified:
        """Classify the bytes of one uploaded file, as `Classifier.classify` does.

        Raises:
            ImageRefusedError: they give no image, or no child survives them.
            IsolationError: no verdict.
        """
        with self._turn:
            try:
                if self._child is not None:
                    return self._ask(self._child, data)
            except _DiedError:
                log.info("a child that had served other images died: tried again in a new one")
            self._child = _Child(self._command)
            try:
                return self._ask(self._child, data)
            except _DiedError as death:
                raise self._verdict(death) from None

    def close(self) -> None:
        """End the child, if there is one."""
        with self._turn:
            if self._child is not None:
                self._child.kill()
                self._child = None

    def _ask(self, child: "_Child", data: bytes) -> Classified:
        try:
            answer = child.ask(data, self._seconds)
        except (_DiedError, IsolationError):
            self._child = None
            raise
        if isinstance(answer, _Refused):
            raise ImageRefusedError(answer.code, answer.detail)
        return Classified(answer.guesses, answer.decode_ms, answer.infer_ms)

    def _verdict(self, death: _DiedError) -> Exception:
        if death.late:
            detail = f"it took more than {self._seconds:g} s"
        elif death.status == OUT_OF_MEMORY:
            detail = f"it took more than {self._orders.memory >> 20} MiB of memory"
        elif death.status == -signal.SIGKILL:
            # By the kernel when the machine ran out of memory, or by hand: not surely the doing of this image.
            return IsolationError("the child was killed")
        elif death.status < 0:
            detail = f"a process that did nothing else died of it: {signal.Signals(-death.status).name}"
        else:
            detail = f"a process that did nothing else died of it: status {death.status}"
        log.error("an image is poison: %s", detail)
        return ImageRefusedError(ErrorCode.WORKER_CRASHED, detail)


class _Child:
    """One process, ready to be asked."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start it.

        Raises:
            IsolationError: it did not become ready.
        """
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own
        except OSError as error:
            raise IsolationError(f"no child could be started: {error}") from error
        self._late = False
        try:
            self._exchange(None, _START_SECONDS)
        except _DiedError as death:
            raise IsolationError(f"no child could be started: status {death.status}") from None

    def ask(self, data: bytes, seconds: float) -> _Seen | _Refused:
        """Its answer to an image; when none came, it is dead.

        Raises:
            _DiedError: it died, ran out of time, or answered nonsense.
            IsolationError: it could not be watched over, and was ended.
        """
        answer = self._exchange(data, seconds)
        try:
            return _ANSWER.validate_json(answer)
        except ValidationError:
            raise self._died() from None

    def kill(self) -> None:
        """End it now."""
        self._process.kill()
        self._died()

    def _exchange(self, data: bytes | None, seconds: float) -> bytes:
        # Killing it ends every wait on its pipes, for writing and for reading.
        timer = threading.Timer(seconds, self._time_is_up)
        try:
            timer.start()
        except RuntimeError as error:
            # A machine without room for a thread says nothing of the image.
            self.kill()
            raise IsolationError(f"no child can be watched over: {error}") from error
        try:
            if data is not None:
                write_frame(_open(self._process.stdin), data)
            answer = read_frame(_open(self._process.stdout), _ANSWER_BYTES)
        except OSError:
            answer = None
        finally:
            timer.cancel()
        if answer is None:
            raise self._died()
        return answer

    def _time_is_up(self) -> None:
        self._late = True
        self._process.kill()

    def _died(self) -> _DiedError:
        try:
            # Its pipes are closed before its status can be read.
            status = self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            # What was not written any more is of no interest.
            with contextlib.suppress(OSError):
                _open(pipe).close()
        return _DiedError(status, self._late)


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise TypeError("the child was started without a pipe")
    return pipe
