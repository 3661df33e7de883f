"""From an upright RGB image to the network's input, as the model's definition says."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker_ami.worker.model import Preprocessing

# Pixels of a side. A network that halves its input thrice sees nothing in less.
_SMALLEST = 8


def prepare(image: Image.Image, definition: Preprocessing) -> NDArray[np.float32]:
    """The network's input: float32, channels first, shape (3, crop, crop) or the image's own.

    Equal to "resize the short side, then crop the middle" (torchvision's rounding), but only the pixels that survive
    the crop are computed: an image of 30,000 by 10 pixels costs no more than a square one.
    """
    resample = Image.Resampling[definition.interpolation.upper()]
    if definition.resize and definition.crop:
        small = _middle(image, definition.resize, definition.crop, resample)
    else:
        small = _whole(image, definition.pixels, resample)
    channels_first = np.asarray(small, dtype=np.float32).transpose(2, 0, 1)
    mean = np.asarray(definition.mean, dtype=np.float32)[:, None, None]
    std = np.asarray(definition.std, dtype=np.float32)[:, None, None]
    return np.ascontiguousarray((channels_first - mean) / std)


def _middle(image: Image.Image, resize: int, crop: int, resample: Image.Resampling) -> Image.Image:
    width, height = _resized(image.size, resize)
    left, top = round((width - crop) / 2), round((height - crop) / 2)
    across, down = image.width / width, image.height / height
    box = (
        left * across,
        top * down,
        min((left + crop) * across, image.width),
        min((top + crop) * down, image.height),
    )
    return image.resize((crop, crop), resample, box=box)


def _whole(image: Image.Image, longest: int, resample: Image.Resampling) -> Image.Image:
    scale = min(1.0, longest / max(image.size))
    size = max(_SMALLEST, round(image.width * scale)), max(_SMALLEST, round(image.height * scale))
    return image if size == image.size else image.resize(size, resample)


def _resized(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    width, height = size
    if width <= height:
        return short_side, int(short_side * height / width)
    return int(short_side * width / height), short_side
