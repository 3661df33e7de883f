"""From the bytes of an uploaded file to one upright RGB image, or a refusal with a code of the documented list.

Every kind of image has one treatment. What it is, its bytes say and never its name. Limits come before decoding.

    JPEG, baseline and progressive      a large one at 1/2, 1/4 or 1/8 of its size, when that leaves the model enough
    JPEG of several pictures (MPO)      the first
    CMYK (JPEG, TIFF)                   to RGB, without a colour profile
    EXIF orientation, any format        applied; broken EXIF is ignored
    palette, grey, bilevel              to RGB
    alpha, transparent colours          on white
    grey of 12 and 16 bits (PNG, TIFF)  scaled to 8 bits; turned where the least value is white
    16-bit colour (PNG)                 its high bytes
    32-bit and float grey (TIFF)        stretched from its own range; what is not finite counts as 0
    interlaced PNG                      as any other
    GIF, animated WebP, PNG and AVIF    the first frame
    HEIC                                the primary picture, turned as its container says; 10 bits and more to 8
    AVIF, WebP, BMP, TIFF, JPEG 2000    as Pillow reads them
    one pixel; 30,000 pixels wide       as any other

    no bytes at all                     empty_file
    over the byte limit                 too_large
    over the pixel limit, bombs         too_many_pixels
    cut short, damaged                  damaged_image
    SVG, PDF, text, any other format    not_an_image
"""

import logging
import struct
import warnings
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

# Loaded here, since Pillow otherwise imports the plugins of 40 more formats at the first image of a rarer kind.
from PIL import (  # isort: skip
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from novaburst.error_codes import ErrorCode
from worker_ami.worker.refusal import ImageRefusedError

log = logging.getLogger(__name__)

# HEIC is what phones save. One thread an image: the cores belong to the classifier's own threads.
pillow_heif.options.DECODE_THREADS = 1
pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)

# What people upload; every other parser that Pillow has stays out of reach of hostile bytes.
FORMATS = tuple(
    plugin.format
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        GifImagePlugin.GifImageFile,
        WebPImagePlugin.WebPImageFile,
        TiffImagePlugin.TiffImageFile,
        BmpImagePlugin.BmpImageFile,
        AvifImagePlugin.AvifImageFile,
        Jpeg2KImagePlugin.Jpeg2KImageFile,
        pillow_heif.HeifImageFile,
    )
)
_ORIENTATION_TAG = 0x0112
# EXIF 2.3, tag Orientation: what makes each stored orientation upright.
_TO_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Limits:
    """The largest file (bytes) and the largest image (pixels, width times height) that are decoded."""

    bytes: int
    pixels: int

    def apply_to_pillow(self) -> None:
        """Make Pillow's own check, which also sees frames inside a file, refuse at the same size; process-wide."""
        Image.MAX_IMAGE_PIXELS = self.pixels
        warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


def decode(data: bytes, limits: Limits, *, short_side: int) -> Image.Image:
    """One upright image of mode RGB; of a large JPEG, one whose short side is still at least `short_side` pixels.

    Raises:
        ImageRefusedError: empty, too large, in no known format, damaged, or of too many pixels.
    """
    if not data:
        raise ImageRefusedError(ErrorCode.EMPTY_FILE, "the file has no bytes")
    if len(data) > limits.bytes:
        raise ImageRefusedError(ErrorCode.TOO_LARGE, f"{len(data)} bytes; the limit is {limits.bytes}")
    image = _open(data, limits)
    # A JPEG is decoded at 1/2, 1/4 or 1/8 of its size when that is enough; other formats ignore this.
    image.draft(None, (short_side, short_side))
    try:
        image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(image, limits) from error
    except MemoryError:
        raise
    # Whatever a parser raises over hostile bytes (OSError, SyntaxError, ValueError, zlib.error, ...) means damage.
    except Exception as error:
        raise ImageRefusedError(ErrorCode.DAMAGED_IMAGE, f"{image.format}: {error}") from error
    orientation = _orientation(image)
    rgb = _to_rgb(image)
    return rgb.transpose(_TO_UPRIGHT[orientation]) if orientation in _TO_UPRIGHT else rgb


def _open(data: bytes, limits: Limits) -> Image.Image:
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRefusedError(ErrorCode.TOO_MANY_PIXELS, f"more than the limit of {limits.pixels} pixels") from error
    except MemoryError:
        raise
    except Exception as error:
        if _starts_as_known_format(data):
            raise ImageRefusedError(ErrorCode.DAMAGED_IMAGE, "the file ends or breaks off in its header") from error
        raise ImageRefusedError(ErrorCode.NOT_AN_IMAGE, "in none of the formats " + ", ".join(FORMATS)) from error
    if image.width * image.height > limits.pixels:
        raise _too_many_pixels(image, limits)
    return image


def _too_many_pixels(image: Image.Image, limits: Limits) -> ImageRefusedError:
    return ImageRefusedError(
        ErrorCode.TOO_MANY_PIXELS, f"{image.width} x {image.height} pixels; the limit is {limits.pixels}"
    )


def _starts_as_known_format(data: bytes) -> bool:
    checks = (Image.OPEN[name][1] for name in FORMATS)
    return any(accepts is not None and accepts(data[:16]) is True for accepts in checks)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    # Broken EXIF beside sound pixels: the image is taken as stored.
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, OverflowError, struct.error) as error:
        log.info("EXIF ignored: %r", error)
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I;16"):
        return _grey(np.asarray(image).astype(np.float32) * (255 / _white(image)), image)
    if image.mode in ("I", "F"):
        return _grey(_stretched(_samples(image)), image)
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    return image.convert("RGB")


def _white(image: Image.Image) -> int:
    """The largest value that a sample of grey can have: Pillow leaves those of a TIFF of 12 bits as they are."""
    return int(2 ** _tiff(image, TiffImagePlugin.BITSPERSAMPLE, (16,))[0] - 1)


def _samples(image: Image.Image) -> np.ndarray:
    samples = np.asarray(image)
    # Pillow has no 32 bits without a sign: their upper half would come out darker than black.
    unsigned = image.mode == "I" and _tiff(image, TiffImagePlugin.SAMPLEFORMAT, (1,))[0] == 1
    return samples.view(np.uint32) if unsigned and isinstance(image, TiffImagePlugin.TiffImageFile) else samples


def _tiff(image: Image.Image, tag: int, default: Any) -> Any:
    """A tag's value in a TIFF; the default in one that leaves it out, and in what is none."""
    return image.tag_v2.get(tag, default) if isinstance(image, TiffImagePlugin.TiffImageFile) else default


def _stretched(values: np.ndarray) -> np.ndarray:
    finite = np.where(np.isfinite(values), values, 0).astype(np.float64)
    low, high = float(finite.min()), float(finite.max())
    return (finite - low) * (255 / (high - low)) if high > low else np.zeros(finite.shape)


def _grey(values: np.ndarray, source: Image.Image) -> Image.Image:
    # TIFF 6.0, PhotometricInterpretation 0: the least value is white. Pillow sees to that up to 8 bits.
    upright = 255 - values if _tiff(source, TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, 1) == 0 else values
    return Image.fromarray((upright + 0.5).astype(np.uint8)).convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return white.convert("RGB")
