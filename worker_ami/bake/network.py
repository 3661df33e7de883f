"""From what was asked for to a network with its weights, its labels and its preprocessing. Importing it loads torch."""

import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx.proxy import TraceError
from torchvision import models  # type: ignore[import-untyped]
from torchvision.transforms._presets import ImageClassification  # type: ignore[import-untyped]

from worker_ami.bake import efficientnet_lite0
from worker_ami.bake.export import export_program, fold
from worker_ami.bake.order import COURSE, DEFAULT_MODEL, Order, OrderError
from worker_ami.worker.model import Preprocessing

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Network:
    """A network ready to be exported: `program` computes what `module` does."""

    module: nn.Module
    program: ExportedProgram
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    # A user's own program is served by torch as it is.
    folds: bool = True

    def for_torch(self) -> ExportedProgram:
        """What the torch engine serves: the fastest form of the network that computes the same."""
        # With channels last torch holds a program to the sizes that make strides differ, and refuses small images.
        if not (self.folds and self.preprocessing.crop):
            return self.program
        try:
            folded = fold(self.module)
        except TraceError as error:
            log.warning("normalisations are not folded, so that the torch engine will be slower: %s", error)
            return self.program
        return export_program(folded, self.preprocessing)


def build(order: Order) -> Network:
    """Build what was asked for; torchvision's own weights are fetched now, and checked against their hash.

    Raises:
        OrderError: no such model, or weights that are not this model's.
    """
    if order.program:
        return _of_program(order)
    if order.name == DEFAULT_MODEL:
        module, preprocessing = efficientnet_lite0.build(), efficientnet_lite0.PREPROCESSING
        return Network(module, export_program(module, preprocessing), efficientnet_lite0.labels(), preprocessing)
    return _of_torchvision(order, "resnet18" if order.name == COURSE else order.name)


def _of_program(order: Order) -> Network:
    if not (order.program and order.own_labels and order.preprocessing):
        raise OrderError("a program needs labels and preprocessing")
    program = torch.export.load(order.program)
    return Network(program.module(), program, order.own_labels, order.preprocessing, folds=False)


def _of_torchvision(order: Order, name: str) -> Network:
    if name not in models.list_models(module=models):
        raise OrderError(f"torchvision has no classification model {name!r}")
    known = models.get_model_weights(name).DEFAULT
    classes = tuple(known.meta["categories"])
    preprocessing = order.own_preprocessing or _preprocessing(known.transforms())
    labels = order.own_labels or classes
    if order.weights:
        module = models.get_model(name, num_classes=len(labels), **_peculiarities(name, preprocessing))
        _load(module, order.weights, name)
    elif len(labels) == len(classes):
        module = models.get_model(name, weights=known)
    else:
        raise OrderError(f"{len(labels)} labels for the {len(classes)} classes of torchvision's weights")
    module.eval()
    return Network(module, export_program(module, preprocessing), labels, preprocessing)


def _peculiarities(name: str, preprocessing: Preprocessing) -> dict[str, object]:
    # What torchvision sets by itself when it loads weights of its own, and users' weights inherit.
    if name in ("googlenet", "inception_v3"):
        return {"transform_input": True, "init_weights": False}
    if name.startswith("vit_") and preprocessing.crop:
        return {"image_size": preprocessing.crop}
    return {}


def _load(module: nn.Module, weights: Path, name: str) -> None:
    try:
        state: dict[str, Tensor] = torch.load(weights, map_location="cpu", weights_only=True)
        module.load_state_dict(state, strict=True)
    # Whatever torch raises over a file that is no state dict, or another network's.
    except Exception as error:
        raise OrderError(f"{weights} is no state dict of {name}: {error}") from error


def _preprocessing(transforms: ImageClassification) -> Preprocessing:
    return Preprocessing(
        resize=transforms.resize_size[0],
        interpolation=transforms.interpolation.value,
        crop=transforms.crop_size[0],
        mean=tuple(255 * value for value in transforms.mean),
        std=tuple(255 * value for value in transforms.std),
    )
