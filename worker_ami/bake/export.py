"""Exports a network for the engines, and proves that an export answers as the network does in torch."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as config
from torch.fx.experimental.optimization import fuse

from worker_ami.bake.proof import ProofError
from worker_ami.worker.engines import Engine
from worker_ami.worker.model import Preprocessing, Proof

# The largest difference between a logit of torch and of the export that still counts as equal; 1.4e-5 was measured.
TOLERANCE = 1e-4
# Networks whose logits run into the hundreds cannot be that equal in 32 bits.
RELATIVE_TOLERANCE = 1e-6
# The names that an ONNX file gives its input and its output.
INPUT, OUTPUT = "images", "logits"
# The pixels of the generated images: coarse enough to look like something to a network trained on photos.
_PATCH = 28


def export_program(network: nn.Module, preprocessing: Preprocessing) -> ExportedProgram:
    """Trace the network for inputs as the preprocessing gives them, in batches of any size."""
    if preprocessing.crop:
        example = torch.zeros(2, 3, preprocessing.crop, preprocessing.crop)
        return torch.export.export(network, (example,), dynamic_shapes=({0: Dim("batch")},))
    example = torch.zeros(2, 3, 128, 192)
    sizes = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    # Otherwise torch takes it that no layer sees a single pixel, and the program of a ResNet refuses less than 33.
    with config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        return torch.export.export(network, (example,), dynamic_shapes=(sizes,))


def takes_batches(program: ExportedProgram) -> bool:
    """Whether the program takes inputs of several images."""
    (name,) = program.graph_signature.user_inputs
    (node,) = (node for node in program.graph.nodes if node.name == name)
    return not isinstance(node.meta["val"].shape[0], int)


def write_onnx(program: ExportedProgram, path: Path) -> None:
    """Write one self-contained ONNX file with the input `INPUT` and the output `OUTPUT`."""
    exported = torch.onnx.export(program, dynamo=True, input_names=[INPUT], output_names=[OUTPUT], verbose=False)
    if exported is None:
        raise ProofError("torch.onnx exported nothing")
    exported.save(path, external_data=False)


def write_torch(program: ExportedProgram, path: Path) -> None:
    """Write the program for the torch engine."""
    with warnings.catch_warnings():
        # torch takes a weight with channels last for a part of another; the proof sees whether it was written whole.
        warnings.filterwarnings("ignore", "No complete tensor found", UserWarning)
        torch.export.save(program, path)


def fold(network: nn.Module) -> nn.Module:
    """The same network with each normalisation folded into the convolution before it, computed with channels last.

    On a CPU torch is a third faster so; without the folding, channels last make it slower.

    Raises:
        torch.fx.proxy.TraceError: its Python code cannot be followed.
    """
    return _ChannelsLast(fuse(network))


class _ChannelsLast(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._network = network.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self._network(images.contiguous(memory_format=torch.channels_last))
        return logits


def prove(network: nn.Module, engine: Engine, batches: Iterable[NDArray[np.float32]], *, classes: int) -> Proof:
    """Compare what an engine makes of the export with what torch makes of the network, on every batch.

    Raises:
        ProofError: a top-1 class differs, or a logit by more than the tolerance.
    """
    images, largest = 0, 0.0
    for batch in batches:
        with torch.inference_mode():
            expected = network(torch.from_numpy(batch)).numpy()
        if expected.shape != (len(batch), classes):
            raise ProofError(f"the network gives {expected.shape} for {len(batch)} images and {classes} labels")
        seen = engine.logits(batch)
        if not np.array_equal(seen.argmax(axis=1), expected.argmax(axis=1)):
            raise ProofError(f"top-1 differs: {seen.argmax(axis=1)} for torch's {expected.argmax(axis=1)}")
        largest = max(largest, float(np.abs(seen - expected).max()))
        limit = max(TOLERANCE, RELATIVE_TOLERANCE * float(np.abs(expected).max()))
        if not largest <= limit:
            raise ProofError(f"logits differ by {largest:.2e}; the limit is {limit:.0e}")
        images += len(batch)
    return Proof(images=images, largest_logit_difference=largest)


def generated_batches(preprocessing: Preprocessing, sizes: Sequence[int]) -> Iterator[NDArray[np.float32]]:
    """Batches of so many coloured patterns in the network's own range; the same in every bake."""
    random = np.random.default_rng(20)
    mean = np.asarray(preprocessing.mean, dtype=np.float32)[:, None, None]
    std = np.asarray(preprocessing.std, dtype=np.float32)[:, None, None]
    for nth, size in enumerate(sizes):
        # Where the size is the image's own, each batch has another.
        height, width = (preprocessing.crop,) * 2 if preprocessing.crop else (150 + 7 * nth, 224 - 31 * nth)
        coarse = random.integers(0, 256, (size, 3, -(-height // _PATCH), -(-width // _PATCH))).astype(np.float32)
        pixels = coarse.repeat(_PATCH, axis=2).repeat(_PATCH, axis=3)[..., :height, :width]
        yield np.ascontiguousarray((pixels - mean) / std)
