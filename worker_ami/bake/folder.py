"""Writes a model folder whole or not at all, once; an intact one is left alone without loading torch."""

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from worker_ami.worker.model import (
    DEFINITION_FILE,
    LABELS_FILE,
    ONNX_FILE,
    TORCH_FILE,
    ModelDefinition,
    ModelError,
    file_sha256,
    load_model,
)

_MAKERS = ("torch", "torchvision", "onnx", "onnxscript", "onnxruntime")


def bake(out: Path, *, with_torch: bool, say: Callable[[str], None]) -> None:
    """Make the folder `out`, unless it is there and intact; two bakes of one folder wait for one another.

    Raises:
        ProofError: the export does not answer as torch does; nothing is left behind.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with _only_baker(out):
        if _is_intact(out, with_torch=with_torch):
            say(f"{out} is intact: nothing to do")
            return
        staged = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            _fill(staged, with_torch=with_torch, say=say)
            # mkdtemp makes it private; the worker runs as a user of its own.
            staged.chmod(0o755)
            shutil.rmtree(out, ignore_errors=True)
            staged.rename(out)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        say(f"{out} is ready")


def _is_intact(out: Path, *, with_torch: bool) -> bool:
    try:
        model = load_model(out)
        model.file(ONNX_FILE)
        if with_torch:
            model.file(TORCH_FILE)
    except ModelError:
        return False
    return True


@contextmanager
def _only_baker(out: Path) -> Iterator[None]:
    with out.with_name(f".{out.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fill(folder: Path, *, with_torch: bool, say: Callable[[str], None]) -> None:
    say("loading torch")
    # Here and not above: an intact folder must cost no import of torch.
    import torch  # noqa: PLC0415

    from worker_ami.bake import efficientnet_lite0 as network_module  # noqa: PLC0415
    from worker_ami.bake import export  # noqa: PLC0415

    say(f"building {network_module.NAME} with its ImageNet weights")
    network = network_module.build()
    preprocessing = network_module.PREPROCESSING
    labels = network_module.labels()
    say("exporting to ONNX")
    program = export.export_program(network, preprocessing.crop)
    export.write_onnx(program, folder / ONNX_FILE)
    if with_torch:
        torch.export.save(program, folder / TORCH_FILE)
    say("comparing the export with torch")
    proof = export.prove(network, folder / ONNX_FILE, export.generated_batches(preprocessing))
    say(f"equal on {proof.images} images, logits within {proof.largest_logit_difference:.1e}")
    (folder / LABELS_FILE).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    definition = ModelDefinition(
        name=network_module.NAME,
        classes=len(labels),
        preprocessing=preprocessing,
        files={path.name: file_sha256(path) for path in sorted(folder.iterdir())},
        weights=f"{network_module.WEIGHTS_PACKAGE} {version(network_module.WEIGHTS_PACKAGE)}",
        versions={name: version(name) for name in _MAKERS},
        proof=proof,
    )
    (folder / DEFINITION_FILE).write_text(definition.model_dump_json(indent=2) + "\n", encoding="utf-8")
