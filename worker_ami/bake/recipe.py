"""How the model folder comes about: build, export, prove, describe. Importing it loads torch."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from worker_ami.bake import export, int8, network
from worker_ami.bake.order import Order, labels_text
from worker_ami.bake.photos import read_photos
from worker_ami.worker.engines import Engine
from worker_ami.worker.engines.onnx import OnnxEngine
from worker_ami.worker.engines.torch import TorchEngine
from worker_ami.worker.model import (
    DEFINITION_FILE,
    INT8_FILE,
    LABELS_FILE,
    ONNX_FILE,
    TORCH_FILE,
    Int8Proof,
    ModelDefinition,
    Proof,
    file_sha256,
)

_MAKERS = ("torch", "torchvision", "onnx", "onnxscript", "onnxruntime")


def make(folder: Path, order: Order, *, with_torch: bool, int8_photos: Path | None, say: Callable[[str], None]) -> None:
    """Fill an empty folder with what was asked for.

    Raises:
        OrderError: it cannot be built.
        ProofError: the export does not answer as torch does, or not with one logit a label.
    """
    say(f"building {order.name} with weights of {order.origin}")
    built = network.build(order)
    say("exporting to ONNX")
    export.write_onnx(built.program, folder / ONNX_FILE)
    proof = _proof(built, OnnxEngine(folder / ONNX_FILE), say)
    if with_torch:
        say("exporting for the torch engine")
        export.write_torch(built.for_torch(), folder / TORCH_FILE)
        _proof(built, TorchEngine(folder / TORCH_FILE), say)
    (folder / LABELS_FILE).write_text(labels_text(built.labels), encoding="utf-8")
    judged = _int8(folder, built, int8_photos, say) if int8_photos else None
    definition = ModelDefinition(
        name=order.name,
        classes=len(built.labels),
        preprocessing=built.preprocessing,
        files={path.name: file_sha256(path) for path in sorted(folder.iterdir())},
        weights=order.origin,
        versions={name: version(name) for name in _MAKERS},
        proof=proof,
        int8=judged,
    )
    (folder / DEFINITION_FILE).write_text(definition.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _proof(built: network.Network, engine: Engine, say: Callable[[str], None]) -> Proof:
    say("comparing the export with the network")
    sizes = (1, 3, 8) if export.takes_batches(built.program) else (1, 1, 1)
    batches = export.generated_batches(built.preprocessing, sizes)
    proof = export.prove(built.module, engine, batches, classes=len(built.labels))
    say(f"equal on {proof.images} images, logits within {proof.largest_logit_difference:.1e}")
    return proof


def _int8(folder: Path, built: network.Network, photos: Path, say: Callable[[str], None]) -> Int8Proof:
    say(f"quantising with the photos in {photos}")
    calibration, judges = int8.halves(read_photos(photos, built.labels, built.preprocessing))
    int8.write_int8(folder / ONNX_FILE, folder / INT8_FILE, calibration)
    judged = int8.judge(OnnxEngine(folder / ONNX_FILE), OnnxEngine(folder / INT8_FILE), judges)
    say(str(judged))
    return judged
