"""What each stage of one image costs, alone: CPU milliseconds of one thread. `python -m bench.worker_stages` for JSON.

The same code as the worker's; a process of its own, so that it can be pinned to the core on which the worker will run.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.percentile import percentile
from bench.worker_photos import photos
from novaburst.bounds import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS
from worker_ami.worker.classifier import SPARE_SCALE
from worker_ami.worker.decode import Limits, decode
from worker_ami.worker.engines import open_engine
from worker_ami.worker.model import Model, load_model
from worker_ami.worker.preprocessing import prepare


def milliseconds(stage: Callable[[bytes], object], content: tuple[bytes, ...], seconds: float) -> float:
    """The mean over the photos of each one's median."""
    for data in content[:3]:
        stage(data)
    times: list[list[float]] = [[] for _ in content]
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or not times[-1]:
        for seen, data in zip(times, content, strict=True):
            began = time.thread_time()
            stage(data)
            seen.append(time.thread_time() - began)
    return 1000 * sum(percentile(seen, 0.5) for seen in times) / len(times)


def decoding(model: Model, kind: str, seconds: float = 2) -> float:
    """Decode and prepare."""
    preprocessing = model.definition.preprocessing
    limits = Limits(bytes=MAX_IMAGE_BYTES, pixels=MAX_IMAGE_PIXELS)
    short_side = SPARE_SCALE * preprocessing.pixels

    def stage(data: bytes) -> object:
        return prepare(decode(data, limits, short_side=short_side), preprocessing)

    return milliseconds(stage, photos(kind), seconds)


def inferring(model: Model, engine_name: str, seconds: float = 3) -> float:
    """One image through the network."""
    engine = open_engine(engine_name, model)  # type: ignore[arg-type]
    crop = model.definition.preprocessing.crop or 224
    image = np.random.default_rng(0).normal(size=(1, 3, crop, crop)).astype(np.float32)
    return milliseconds(lambda _: engine.logits(image), (b"",) * 4, seconds)


if __name__ == "__main__":
    folder, kinds, engines = json.loads(sys.argv[1])
    loaded = load_model(Path(folder))
    costs = {kind: decoding(loaded, kind) for kind in kinds} | {name: inferring(loaded, name) for name in engines}
    sys.stdout.write(json.dumps(costs))
