"""The photos that the benchmarks of the worker use: real ones, brought to the sizes of a web page and of a camera."""

from collections.abc import Callable
from functools import cache
from io import BytesIO

from PIL import Image

from tests.photos import imagenet_photos, larger_photos


@cache
def photos(kind: str) -> tuple[bytes, ...]:
    """JPEGs of a kind: `500x375` (24 photos), `12 MP` (the four larger ones, enlarged) or `small` (their 20)."""
    return KINDS[kind]()


def _resized(size: tuple[int, int], small_ones: bool) -> tuple[bytes, ...]:
    paths = [photo.path for photo in imagenet_photos()] if small_ones else []
    found = []
    for path in (*paths, *larger_photos().values()):
        with Image.open(path) as image:
            buffer = BytesIO()
            image.convert("RGB").resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
        found.append(buffer.getvalue())
    return tuple(found)


KINDS: dict[str, Callable[[], tuple[bytes, ...]]] = {
    "500x375": lambda: _resized((500, 375), small_ones=True),
    "12 MP": lambda: _resized((4000, 3000), small_ones=False),
    "small": lambda: tuple(photo.path.read_bytes() for photo in imagenet_photos()),
}
