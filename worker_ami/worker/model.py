"""A model as a folder: the network's files, its labels, and a definition of how to feed it and how it was made."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

DEFINITION_FILE = "model.json"
LABELS_FILE = "labels.txt"
ONNX_FILE = "model.onnx"
INT8_FILE = "model.int8.onnx"
TORCH_FILE = "model.pt2"


class ModelError(Exception):
    """A model folder that cannot be used; the text says which file is at fault and what to do."""


class Preprocessing(BaseModel):
    """How an upright RGB image becomes the network's input; it belongs to the model, not to the worker.

    Either `resize` and `crop` (a square from the middle), or `longest` alone (the whole image at its own size).
    """

    model_config = ConfigDict(frozen=True)

    # Pixels of the short side after resizing; the long side follows in proportion.
    resize: PositiveInt | None = None
    interpolation: Literal["bicubic", "bilinear"]
    # Pixels of each side of the square cut from the middle.
    crop: PositiveInt | None = None
    # The most pixels of the long side; an image that has more is scaled down, so that none takes all the memory.
    longest: PositiveInt | None = None
    # Per channel, in units of 0 to 255: input = (pixel - mean) / std.
    mean: tuple[float, float, float]
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat]

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.resize and self.crop and not self.longest:
            if self.crop > self.resize:
                raise ValueError(f"crop {self.crop} is larger than resize {self.resize}")
        elif not self.longest or self.resize or self.crop:
            raise ValueError("give either resize and crop, or longest alone")
        return self

    @property
    def pixels(self) -> int:
        """What of an image is looked at, at least: the pixels of the short side, or the most of the long side."""
        return self.resize or self.longest or 0


class Proof(BaseModel):
    """What was seen when the export was compared with torch; the bake fails beyond its tolerance."""

    model_config = ConfigDict(frozen=True)

    images: PositiveInt
    largest_logit_difference: Annotated[float, Field(ge=0)]


class Int8Proof(BaseModel):
    """What was seen when the network in 8-bit integers was compared with the exact one, on photos new to both."""

    model_config = ConfigDict(frozen=True)

    photos: PositiveInt
    # Photos to which both give the same top-1 class.
    agreed: NonNegativeInt
    # Photos whose class is known, and to how many of these each gives it.
    labelled: NonNegativeInt
    right: NonNegativeInt
    right_exactly: NonNegativeInt

    def __str__(self) -> str:
        text = f"int8 agrees with the exact network on {self.agreed} of {self.photos} photos"
        if not self.labelled:
            return text
        return f"{text}; {self.right} of {self.labelled} labelled ones are right, {self.right_exactly} exactly computed"


class ModelDefinition(BaseModel):
    """The content of `model.json`."""

    model_config = ConfigDict(frozen=True)

    v: Literal[1] = 1
    name: str
    classes: PositiveInt
    preprocessing: Preprocessing
    # File name to SHA-256, in hexadecimal, of everything else in the folder.
    files: dict[str, str]
    # How it was made: the source of the weights, the versions of what made it, and the proof of the export.
    weights: str
    versions: dict[str, str]
    proof: Proof
    int8: Int8Proof | None = None


@dataclass(frozen=True)
class Model:
    """A model folder whose files are what its definition says."""

    folder: Path
    definition: ModelDefinition
    labels: tuple[str, ...]

    def file(self, name: str) -> Path:
        """The path of one of the folder's files.

        Raises:
            ModelError: the model was baked without it.
        """
        if name not in self.definition.files:
            raise ModelError(f"{self.folder} holds no {name}: bake the model for this engine")
        return self.folder / name


def load_model(folder: Path) -> Model:
    """Read a model folder and check every file against its hash.

    Raises:
        ModelError: something is missing, unreadable, altered or at odds with the rest.
    """
    try:
        definition = ModelDefinition.model_validate_json((folder / DEFINITION_FILE).read_bytes())
        for name, expected in definition.files.items():
            if file_sha256(folder / name) != expected:
                raise ModelError(f"{folder / name} is not the file that was baked: bake the model again")
        labels = tuple((folder / LABELS_FILE).read_text(encoding="utf-8").splitlines())
    except OSError as error:
        raise ModelError(f"{folder} is not a model folder: {error}; make it with python -m worker_ami.bake") from error
    except ValidationError as error:
        raise ModelError(f"{folder / DEFINITION_FILE} is not a model definition: {error}") from error
    if len(labels) != definition.classes:
        raise ModelError(f"{folder / LABELS_FILE} has {len(labels)} lines for {definition.classes} classes")
    return Model(folder, definition, labels)


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
