"""A folder of photos to calibrate and judge a network with, prepared as the worker would."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from novaburst.bounds import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS
from worker_ami.bake.order import OrderError
from worker_ami.worker.classifier import SPARE_SCALE
from worker_ami.worker.decode import Limits, decode
from worker_ami.worker.model import Preprocessing
from worker_ami.worker.preprocessing import prepare
from worker_ami.worker.refusal import ImageRefusedError

_LIMITS = Limits(bytes=MAX_IMAGE_BYTES, pixels=MAX_IMAGE_PIXELS)


@dataclass(frozen=True)
class Photo:
    """A network's input, float32 of shape (1, 3, height, width), and its class where its folder names one."""

    image: NDArray[np.float32]
    class_index: int | None


def read_photos(folder: Path, labels: Sequence[str], preprocessing: Preprocessing) -> tuple[Photo, ...]:
    """All images below `folder`, in the order of their paths; one in a folder named as a label, or as the index of a
    class, is of that class, as in torchvision's ImageFolder.

    Raises:
        OrderError: a file is no image; the text names it.
    """
    classes = {str(index): index for index in range(len(labels))} | {name: n for n, name in enumerate(labels)}
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        try:
            image = decode(path.read_bytes(), _LIMITS, short_side=SPARE_SCALE * preprocessing.pixels)
        except ImageRefusedError as error:
            raise OrderError(f"{path} is no image to calibrate with ({error.detail}): take it out") from error
        found.append(Photo(prepare(image, preprocessing)[np.newaxis], classes.get(path.parent.name)))
    return tuple(found)
