"""How the model folder comes about: build, export, prove, describe. Importing it loads torch."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch

from worker_ami.bake import efficientnet_lite0, export
from worker_ami.worker.model import (
    DEFINITION_FILE,
    LABELS_FILE,
    ONNX_FILE,
    TORCH_FILE,
    ModelDefinition,
    file_sha256,
)

_MAKERS = ("torch", "torchvision", "onnx", "onnxscript", "onnxruntime")


def make(folder: Path, *, with_torch: bool, say: Callable[[str], None]) -> None:
    """Fill an empty folder with EfficientNet-Lite0.

    Raises:
        ProofError: the export does not answer as torch does.
    """
    say(f"building {efficientnet_lite0.NAME} with its ImageNet weights")
    network = efficientnet_lite0.build()
    preprocessing = efficientnet_lite0.PREPROCESSING
    labels = efficientnet_lite0.labels()
    say("exporting to ONNX")
    program = export.export_program(network, preprocessing.crop)
    export.write_onnx(program, folder / ONNX_FILE)
    if with_torch:
        torch.export.save(program, folder / TORCH_FILE)
    say("comparing the export with torch")
    proof = export.prove(network, folder / ONNX_FILE, export.generated_batches(preprocessing))
    say(f"equal on {proof.images} images, logits within {proof.largest_logit_difference:.1e}")
    (folder / LABELS_FILE).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    package = efficientnet_lite0.WEIGHTS_PACKAGE
    definition = ModelDefinition(
        name=efficientnet_lite0.NAME,
        classes=len(labels),
        preprocessing=preprocessing,
        files={path.name: file_sha256(path) for path in sorted(folder.iterdir())},
        weights=f"{package} {version(package)}",
        versions={name: version(name) for name in _MAKERS},
        proof=proof,
    )
    (folder / DEFINITION_FILE).write_text(definition.model_dump_json(indent=2) + "\n", encoding="utf-8")
