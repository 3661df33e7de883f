"""`python -m worker_ami.worker.isolated ORDERS`: the child that computes suspect images, one after the other.

It talks in frames, each a length of four bytes (big-endian) and that many bytes: first it says that it is ready, then
it answers each frame of image bytes with one of JSON. It may die over an image at any time; that is what it is for.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, PositiveInt

from novaburst.error_codes import ErrorCode
from worker_ami.worker.classifier import Classifier
from worker_ami.worker.decode import Limits
from worker_ami.worker.engines import EngineName, open_engine
from worker_ami.worker.logs import start_logging
from worker_ami.worker.model import load_model
from worker_ami.worker.refusal import ImageRefusedError

# The exit status that says: this image wanted more memory than it may have.
OUT_OF_MEMORY = 3
_LENGTH = struct.Struct(">I")
_PR_SET_PDEATHSIG = 1


class Orders(BaseModel):
    """What the child must know: the model, and what one image may cost it."""

    model_config = ConfigDict(frozen=True)

    model_dir: Path
    engine: EngineName
    max_bytes: PositiveInt
    max_pixels: PositiveInt
    # The most memory that one image may take, in bytes, beside what the loaded model takes.
    memory: PositiveInt


def read_frame(stream: IO[bytes], at_most: int) -> bytes | None:
    """The next frame; None for one of more bytes than `at_most` and at the end, be it in the middle of a frame."""
    length = stream.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        return None
    (wanted,) = _LENGTH.unpack(length)
    if wanted > at_most:
        return None
    frame = stream.read(wanted)
    return frame if len(frame) == wanted else None


def write_frame(stream: IO[bytes], content: bytes) -> None:
    """Write one frame."""
    stream.write(_LENGTH.pack(len(content)))
    stream.write(content)
    stream.flush()


def main(orders: Orders) -> None:
    """Answer images until the stream of them ends."""
    # The kernel kills it when the thread that started it ends (prctl(2)); before this, the end of its input ends it.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The worker decides when to end: what is under way may still be finished within its grace.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    # A core file of a worker on its way to power-off helps nobody.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # When the machine's memory runs out, the child is the first to go; where that may not be said, it still works.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    start_logging()
    # Whatever a library prints must not end up between the frames.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    model = load_model(orders.model_dir)
    limits = Limits(bytes=orders.max_bytes, pixels=orders.max_pixels)
    classifier = Classifier(model, open_engine(orders.engine, model), limits, threads=1)
    limit = _private_bytes() + orders.memory
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    write_frame(answers, b"{}")
    while (data := read_frame(sys.stdin.buffer, orders.max_bytes)) is not None:
        write_frame(answers, json.dumps(_answer(classifier, data)).encode())


def _private_bytes() -> int:
    # proc(5): VmData is what RLIMIT_DATA is compared with, in KiB.
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData:"))
    return int(line.split()[1]) * 1024


def _answer(classifier: Classifier, data: bytes) -> dict[str, Any]:
    try:
        seen = classifier.classify(data)
    except ImageRefusedError as error:
        return {"code": error.code, "detail": error.detail}
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except Exception as error:
        return {"code": ErrorCode.INTERNAL_ERROR, "detail": type(error).__name__}
    guesses = [guess.model_dump() for guess in seen.guesses]
    return {"guesses": guesses, "decode_ms": seen.decode_ms, "infer_ms": seen.infer_ms}


if __name__ == "__main__":
    main(Orders.model_validate_json(sys.argv[1]))
