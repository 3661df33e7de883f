"""What people upload on a bad day, each with the answer that it must get."""

import itertools
import random
import struct
import zlib
from io import BytesIO

import pillow_heif
from PIL import Image

from novaburst.error_codes import ErrorCode
from tests.photos import larger_photos
from tests.poisoned import poison

pillow_heif.register_heif_opener()

# Bytes (None: the object is gone), and the label or the code of the error.
Upload = tuple[bytes | None, str]


def uploads(images: int, aborts: int, hangs: int, dice: random.Random) -> list[Upload]:
    """So many uploads in a random order: `aborts` and `hangs` that end their workers, one in six bad, else photos."""
    poisons = [poison("abort")] * aborts + [poison("hang")] * hangs
    rest = images - len(poisons)
    bad = list(itertools.islice(itertools.cycle(_bad()), rest // 6))
    good = list(itertools.islice(itertools.cycle(_good()), rest - len(bad)))
    mixed: list[Upload] = [*((content, ErrorCode.WORKER_CRASHED) for content in poisons), *bad, *good]
    dice.shuffle(mixed)
    return mixed


def _good() -> list[Upload]:
    photos: list[Upload] = [(path.read_bytes(), label) for label, path in larger_photos().items()]
    with Image.open(larger_photos()["daisy"]) as daisy:
        upright = daisy.convert("RGB")
    turned = Image.Exif()
    turned[0x0112] = 6
    others: list[Upload] = [
        (_stored(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=turned), "daisy"),
        (_stored(upright, "JPEG", quality=95, progressive=True), "daisy"),
        (_stored(upright.quantize(256), "PNG"), "daisy"),
        (_stored(upright.convert("RGBA"), "PNG"), "daisy"),
        (_stored(upright, "WEBP", quality=95), "daisy"),
        (_stored(upright, "HEIF", quality=95), "daisy"),
        (_stored(upright, "AVIF", quality=90), "daisy"),
        (_stored(upright, "TIFF"), "daisy"),
    ]
    return photos + others


def _bad() -> list[Upload]:
    daisy = larger_photos()["daisy"].read_bytes()
    return [
        (b"", ErrorCode.EMPTY_FILE),
        (None, ErrorCode.OBJECT_MISSING),
        (b"not an image at all", ErrorCode.NOT_AN_IMAGE),
        (b"%PDF-1.7\n", ErrorCode.NOT_AN_IMAGE),
        (daisy[: len(daisy) // 2], ErrorCode.DAMAGED_IMAGE),
        (daisy[:20], ErrorCode.DAMAGED_IMAGE),
        (_bomb(), ErrorCode.TOO_MANY_PIXELS),
    ]


def _stored(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _bomb() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
