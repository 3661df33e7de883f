"""How the model folder comes about: build, export, prove, describe. Importing it loads torch."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch

from worker_ami.bake import export, network
from worker_ami.bake.order import Order, labels_text
from worker_ami.worker.model import (
    DEFINITION_FILE,
    LABELS_FILE,
    ONNX_FILE,
    TORCH_FILE,
    ModelDefinition,
    file_sha256,
)

_MAKERS = ("torch", "torchvision", "onnx", "onnxscript", "onnxruntime")


def make(folder: Path, order: Order, *, with_torch: bool, say: Callable[[str], None]) -> None:
    """Fill an empty folder with what was asked for.

    Raises:
        OrderError: it cannot be built.
        ProofError: the export does not answer as torch does, or not with one logit a label.
    """
    say(f"building {order.name} with weights of {order.origin}")
    built = network.build(order)
    say("exporting to ONNX")
    export.write_onnx(built.program, folder / ONNX_FILE)
    if with_torch:
        torch.export.save(built.program, folder / TORCH_FILE)
    say("comparing the export with torch")
    sizes = (1, 3, 8) if export.takes_batches(built.program) else (1, 1, 1)
    batches = export.generated_batches(built.preprocessing, sizes)
    proof = export.prove(built.module, folder / ONNX_FILE, batches, classes=len(built.labels))
    say(f"equal on {proof.images} images, logits within {proof.largest_logit_difference:.1e}")
    (folder / LABELS_FILE).write_text(labels_text(built.labels), encoding="utf-8")
    definition = ModelDefinition(
        name=order.name,
        classes=len(built.labels),
        preprocessing=built.preprocessing,
        files={path.name: file_sha256(path) for path in sorted(folder.iterdir())},
        weights=order.origin,
        versions={name: version(name) for name in _MAKERS},
        proof=proof,
    )
    (folder / DEFINITION_FILE).write_text(definition.model_dump_json(indent=2) + "\n", encoding="utf-8")
