"""What every peer's server computes: the worker's own steps, in the thread that asks, so that only the serving differs.

Runs in the peers' environments, which hold `model-requirements.txt` and the peer's own requirements.
"""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from novaburst.bounds import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS
from worker_ami.worker.classifier import SPARE_SCALE
from worker_ami.worker.decode import Limits, decode
from worker_ami.worker.engines import open_engine
from worker_ami.worker.model import load_model
from worker_ami.worker.preprocessing import prepare

MODEL_VARIABLE = "PEERS_MODEL"


class PhotoModel:
    """The model of a folder, by default the one that `PEERS_MODEL` names, in an ONNX Runtime session of one thread."""

    def __init__(self, folder: Path | None = None) -> None:
        self._model = load_model(folder or Path(os.environ[MODEL_VARIABLE]))
        self._engine = open_engine("onnxruntime", self._model)
        self._limits = Limits(bytes=MAX_IMAGE_BYTES, pixels=MAX_IMAGE_PIXELS)

    def decode(self, data: bytes) -> NDArray[np.float32]:
        """From a file's bytes to the network's input, of shape (3, side, side).

        Raises:
            worker_ami.worker.refusal.ImageRefusedError: they give no image.
        """
        preprocessing = self._model.definition.preprocessing
        return prepare(decode(data, self._limits, short_side=SPARE_SCALE * preprocessing.pixels), preprocessing)

    def infer(self, image: NDArray[np.float32]) -> str:
        """The likeliest label of one such input."""
        (logits,) = self._engine.logits(image[np.newaxis])
        return self._model.labels[int(logits.argmax())]

    def classify(self, data: bytes) -> str:
        """The likeliest label of a file's image."""
        return self.infer(self.decode(data))
