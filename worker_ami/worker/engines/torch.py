"""torch: for users' own exported programs; slower on the CPU than ONNX Runtime, and it must be installed."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from worker_ami.worker import memory


class TorchEngine:
    """One exported program shared by all threads; the caller's threads are the only ones that compute."""

    def __init__(self, program: Path) -> None:
        torch.set_num_threads(1)
        memory.keep_what_is_freed()
        self._network = torch.export.load(program).module()

    def logits(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """One row of logits an image."""
        with torch.inference_mode():
            rows: NDArray[np.float32] = self._network(torch.from_numpy(images)).numpy()
        return rows
