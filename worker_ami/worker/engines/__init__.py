"""What runs the network: one small interface, one module an engine, imported only when it is chosen."""

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from worker_ami.worker.model import INT8_FILE, ONNX_FILE, TORCH_FILE, Model

EngineName = Literal["onnxruntime", "onnxruntime-int8", "torch"]


class Engine(Protocol):
    """A loaded network. `logits` may be called from several threads at once; each call computes in its own thread."""

    def logits(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """One row of logits an image; `images` is float32 of shape (n, 3, side, side)."""
        ...


def open_engine(name: EngineName, model: Model) -> Engine:
    """Load the model's network.

    Raises:
        ModelError: the model was not baked for this engine.
    """
    # Imported here, since neither library is needed, or installed, for the other.
    if name == "torch":
        from worker_ami.worker.engines.torch import TorchEngine  # noqa: PLC0415

        return TorchEngine(model.file(TORCH_FILE))
    from worker_ami.worker.engines.onnx import OnnxEngine  # noqa: PLC0415

    return OnnxEngine(model.file(INT8_FILE if name == "onnxruntime-int8" else ONNX_FILE))
