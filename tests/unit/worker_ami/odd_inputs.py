"""Files that nobody meant to upload, by the thousand, through the worker's decoder under a limit on memory.

`python -m tests.unit.worker_ami.odd_inputs --seed 1 --changes 20 --mebibytes 1024` prints an account as JSON.
"""

import json
import random
import resource
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO

import click
import pillow_heif
from PIL import Image

from worker_ami.worker.decode import FORMATS, Limits, decode
from worker_ami.worker.refusal import ImageRefusedError

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16", "F")
SIZE = (37, 23)
# Small enough that the refusals of large images are cheap to provoke.
LIMITS = Limits(bytes=4_000_000, pixels=4_000_000)
_SHORT_SIDE = 64


@dataclass
class Account:
    """What became of the inputs; `wrong` names those that got neither an image nor a refusal."""

    inputs: int = 0
    images: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest_seconds: float = 0
    peak_mebibytes: float = 0


def written() -> Iterator[tuple[str, bytes]]:
    """An image in every mode by every writer that Pillow has, where the writer takes the mode."""
    Image.init()
    pillow_heif.register_heif_opener()
    noise = Image.effect_noise(SIZE, 80)
    for name in sorted(Image.SAVE):
        for mode in MODES:
            buffer = BytesIO()
            # A writer that does not take this mode says so in its own way.
            with suppress(Exception):
                noise.convert(mode).save(buffer, name)
                yield f"{name} {mode}", buffer.getvalue()


def animated() -> Iterator[tuple[str, bytes]]:
    """Many frames, and frames larger than they are worth."""
    frames = [Image.effect_noise((64, 64), n).convert("P") for n in range(1, 60)]
    for name in ("GIF", "WEBP", "PNG", "TIFF"):
        buffer = BytesIO()
        first = frames[0].convert("RGB") if name == "WEBP" else frames[0]
        first.save(buffer, name, save_all=True, append_images=frames[1:])
        yield f"{name} of 59 frames", buffer.getvalue()


def headers() -> Iterator[tuple[str, bytes]]:
    """Headers that promise what no file holds."""
    huge = 0x7FFFFFFF
    head = struct.pack(">IIBBBBB", huge, huge, 8, 6, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(b"")) + _chunk(b"IEND", b"")
    yield "PNG of 2^31 squared", png
    text = _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000)))
    small = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    body = _chunk(b"IDAT", zlib.compress(b"\0\0")) + _chunk(b"IEND", b"")
    yield "PNG whose text unpacks to 50 MB", b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", small) + text + body
    stream = zlib.compress(bytes(100_000_000))
    yield (
        "PNG whose pixels unpack to 100 MB",
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", small) + _chunk(b"IDAT", stream) + _chunk(b"IEND", b""),
    )
    yield "GIF of 65535 squared", b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\x02\0;"
    yield (
        "BMP of 2^31 squared",
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, huge, huge, 1, 24, 0, *[0] * 5),
    )
    entries = struct.pack("<H", 0xFFFF) + struct.pack("<HHII", 256, 4, huge, 0) * 4000
    yield "TIFF of 65535 tags", b"II*\0\x08\0\0\0" + entries
    yield "TIFF that is its own next page", b"II*\0\x08\0\0\0" + struct.pack("<HI", 0, 8)
    yield (
        "JPEG of 65535 squared",
        b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x11\0\x02\x11\0\x03\x11\0\xff\xd9",
    )
    yield "WebP of 16384 squared", b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0\xff\x3f\0\xff\x3f\0"
    yield "HEIF of nested boxes", b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + b"\xff\xff\xff\xf0meta\0\0\0\0" * 2000
    yield (
        "JPEG 2000 of 2^31 squared",
        b"\xff\x4f\xff\x51\0\x2f\0\0" + struct.pack(">8I", huge, huge, 0, 0, huge, huge, 0, 0),
    )


def changed(data: bytes, changes: int, dice: random.Random) -> Iterator[bytes]:
    """Cut short, with bits turned, with a stretch repeated, and with another format's beginning."""
    for _ in range(changes):
        yield data[: dice.randrange(len(data))]
        bits = bytearray(data)
        for _ in range(dice.choice((1, 1, 3, 20))):
            bits[dice.randrange(len(bits))] ^= 1 << dice.randrange(8)
        yield bytes(bits)
        at = dice.randrange(len(data))
        yield data[:at] + data[at : at + 40] * 3 + data[at:]
        yield dice.choice((b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF", b"II*\0", b"BM")) + data[4:]


def inputs(changes: int, dice: random.Random) -> Iterator[tuple[str, bytes]]:
    """All of it, each with a name that says how it came about."""
    for name, data in (*written(), *animated(), *headers()):
        yield name, data
        if name.split()[0] in (*FORMATS, "AVIF", "HEIF"):
            for nth, worse in enumerate(changed(data, changes, dice)):
                yield f"{name}, change {nth}", worse


def judge(pairs: Iterator[tuple[str, bytes]]) -> Account:
    """Decode each."""
    account = Account()
    for name, data in pairs:
        account.inputs += 1
        began = time.perf_counter()
        try:
            image = decode(data, LIMITS, short_side=_SHORT_SIDE)
        except ImageRefusedError as error:
            account.refusals[error.code] += 1
        except BaseException as error:
            account.wrong.append(f"{name}: {error!r}")
        else:
            account.images += 1
            if image.mode != "RGB" or image.width * image.height > LIMITS.pixels:
                account.wrong.append(f"{name}: {image}")
        account.slowest_seconds = max(account.slowest_seconds, time.perf_counter() - began)
    account.peak_mebibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return account


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@click.command(help=__doc__)
@click.option("--seed", default=1)
@click.option("--changes", default=20, help="Of each kind, for each file.")
@click.option("--mebibytes", default=1024, help="The most memory.")
def main(seed: int, changes: int, mebibytes: int) -> None:
    """Print the account."""
    LIMITS.apply_to_pillow()
    resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))
    json.dump(vars(judge(inputs(changes, random.Random(seed)))), sys.stdout)


if __name__ == "__main__":
    main()
