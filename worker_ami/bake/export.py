"""Exports a network to ONNX and proves that the export answers as torch does."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.export import Dim, ExportedProgram

from worker_ami.worker.engines.runtime import onnxruntime
from worker_ami.worker.model import Preprocessing, Proof

# The largest difference between a logit of torch and of the export that still counts as equal; 1.4e-5 was measured.
TOLERANCE = 1e-4
# The pixels of the generated images: coarse enough to look like something to a network trained on photos.
_PATCH = 28


class ProofError(Exception):
    """The export does not answer as torch does."""


def export_program(network: nn.Module, side: int) -> ExportedProgram:
    """Trace the network for square inputs of `side` pixels in batches of any size."""
    example = torch.zeros(2, 3, side, side)
    return torch.export.export(network, (example,), dynamic_shapes=({0: Dim("batch")},))


def write_onnx(program: ExportedProgram, path: Path) -> None:
    """Write one self-contained ONNX file with the input `images` and the output `logits`."""
    exported = torch.onnx.export(program, dynamo=True, input_names=["images"], output_names=["logits"], verbose=False)
    if exported is None:
        raise ProofError("torch.onnx exported nothing")
    exported.save(path, external_data=False)


def prove(network: nn.Module, onnx_file: Path, batches: Iterator[NDArray[np.float32]]) -> Proof:
    """Compare the export with torch on every batch.

    Raises:
        ProofError: a top-1 class differs, or a logit by more than `TOLERANCE`.
    """
    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    images, largest = 0, 0.0
    for batch in batches:
        with torch.inference_mode():
            expected = network(torch.from_numpy(batch)).numpy()
        (seen,) = session.run(None, {"images": batch})
        if not np.array_equal(seen.argmax(axis=1), expected.argmax(axis=1)):
            raise ProofError(f"top-1 differs: {seen.argmax(axis=1)} for torch's {expected.argmax(axis=1)}")
        largest = max(largest, float(np.abs(seen - expected).max()))
        if not largest <= TOLERANCE:
            raise ProofError(f"logits differ by {largest:.2e}; the limit is {TOLERANCE:.0e}")
        images += len(batch)
    return Proof(images=images, largest_logit_difference=largest)


def generated_batches(preprocessing: Preprocessing) -> Iterator[NDArray[np.float32]]:
    """Batches of 1, 3 and 8 coloured patterns in the network's own range; the same in every bake."""
    random = np.random.default_rng(20)
    mean = np.asarray(preprocessing.mean, dtype=np.float32)[:, None, None]
    std = np.asarray(preprocessing.std, dtype=np.float32)[:, None, None]
    cells = -(-preprocessing.crop // _PATCH)
    for size in (1, 3, 8):
        coarse = random.integers(0, 256, (size, 3, cells, cells)).astype(np.float32)
        pixels = coarse.repeat(_PATCH, axis=2).repeat(_PATCH, axis=3)[..., : preprocessing.crop, : preprocessing.crop]
        yield np.ascontiguousarray((pixels - mean) / std)
