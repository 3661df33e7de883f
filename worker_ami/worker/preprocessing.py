"""From an upright RGB image to the network's input, as the model's definition says."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker_ami.worker.model import Preprocessing


def prepare(image: Image.Image, definition: Preprocessing) -> NDArray[np.float32]:
    """The network's input: float32, channels first, shape (3, crop, crop).

    Equal to "resize the short side, then crop the middle" (torchvision's rounding), but only the pixels that survive
    the crop are computed: an image of 30,000 by 10 pixels costs no more than a square one.
    """
    crop = definition.crop
    width, height = _resized(image.size, definition.resize)
    left, top = round((width - crop) / 2), round((height - crop) / 2)
    across, down = image.width / width, image.height / height
    box = (
        left * across,
        top * down,
        min((left + crop) * across, image.width),
        min((top + crop) * down, image.height),
    )
    small = image.resize((crop, crop), Image.Resampling[definition.interpolation.upper()], box=box)
    channels_first = np.asarray(small, dtype=np.float32).transpose(2, 0, 1)
    mean = np.asarray(definition.mean, dtype=np.float32)[:, None, None]
    std = np.asarray(definition.std, dtype=np.float32)[:, None, None]
    return np.ascontiguousarray((channels_first - mean) / std)


def _resized(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    width, height = size
    if width <= height:
        return short_side, int(short_side * height / width)
    return int(short_side * width / height), short_side
