"""Each kind of image has one treatment, and each kind of bad file one code."""

import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from novaburst.error_codes import ErrorCode
from worker_ami.worker.decode import Limits, decode
from worker_ami.worker.refusal import ImageRefusedError

LIMITS = Limits(bytes=1_000_000, pixels=1_000_000)
GREEN = (30, 160, 70)


@pytest.fixture(autouse=True)
def _pillow_limits() -> None:
    LIMITS.apply_to_pillow()


def read(data: bytes, limits: Limits = LIMITS, short_side: int = 512) -> Image.Image:
    return decode(data, limits, short_side=short_side)


def stored(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png(image: Image.Image, *, depth: int = 8, interlaced: bool = False) -> bytes:
    """An RGB image as the kinds of PNG that Pillow does not write."""
    pixels = np.asarray(image).astype(np.uint16) * 257
    raster = pixels.astype(">u2") if depth == 16 else pixels.astype(np.uint8)
    # PNG, section 8: where each pass of Adam7 begins and how far it steps, in x and y.
    adam7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    passes = [raster[y::down, x::across] for x, y, across, down in adam7] if interlaced else [raster]
    lines = b"".join(b"\0" + row.tobytes() for part in passes for row in part if row.size)
    header = struct.pack(">IIBBBBB", image.width, image.height, depth, 2, 0, 0, interlaced)
    return png_of(header, zlib.compress(lines))


def png_of(header: bytes, data: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def green(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    return Image.new("RGB", size, GREEN).convert(mode)


def centre(image: Image.Image) -> tuple[int, ...]:
    pixel = image.getpixel((image.width // 2, image.height // 2))
    assert isinstance(pixel, tuple)
    return pixel


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(stored(green(), "JPEG"), id="baseline JPEG"),
        pytest.param(stored(green(), "JPEG", progressive=True), id="progressive JPEG"),
        pytest.param(stored(green("CMYK"), "JPEG"), id="CMYK JPEG"),
        pytest.param(stored(green(), "MPO"), id="MPO as phones write it"),
        pytest.param(stored(green(), "PNG"), id="PNG"),
        pytest.param(stored(green().quantize(4), "PNG"), id="palette PNG"),
        pytest.param(stored(green("RGBA"), "PNG"), id="opaque alpha PNG"),
        pytest.param(stored(green(), "GIF"), id="GIF"),
        pytest.param(stored(green(), "WEBP", lossless=True), id="WebP"),
        pytest.param(stored(green(), "TIFF"), id="TIFF"),
        pytest.param(stored(green(), "TIFF", compression="tiff_lzw"), id="LZW TIFF"),
        pytest.param(stored(green("CMYK"), "TIFF"), id="CMYK TIFF"),
        pytest.param(stored(green(), "BMP"), id="BMP"),
        pytest.param(stored(green(), "AVIF", quality=95), id="AVIF"),
        pytest.param(stored(green(), "JPEG2000"), id="JPEG 2000"),
        pytest.param(stored(green(), "HEIF", quality=95), id="HEIC"),
        pytest.param(png(green(), interlaced=True), id="interlaced PNG"),
        pytest.param(png(green(), depth=16), id="16-bit RGB PNG"),
    ],
)
def test_every_format_people_have_gives_its_colours_in_rgb(data: bytes) -> None:
    image = read(data)
    assert image.mode == "RGB"
    assert image.size == (40, 30)
    assert centre(image) == pytest.approx(GREEN, abs=12)


def test_an_image_of_one_pixel_is_an_image() -> None:
    assert read(stored(green(size=(1, 1)), "PNG")).size == (1, 1)


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [green(), Image.new("RGB", (40, 30), "red")]
    for format in ("GIF", "WEBP", "PNG"):
        data = stored(frames[0], format, save_all=True, append_images=frames[1:])
        assert centre(read(data)) == pytest.approx(GREEN, abs=12)


def test_transparency_becomes_white() -> None:
    clear = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    half = Image.new("RGBA", (40, 30), (0, 0, 0, 128))
    assert centre(read(stored(clear, "PNG"))) == (255, 255, 255)
    assert centre(read(stored(half, "PNG"))) == pytest.approx((127, 127, 127), abs=1)
    assert centre(read(stored(clear.convert("LA"), "PNG"))) == (255, 255, 255)
    assert centre(read(stored(clear, "WEBP", lossless=True))) == (255, 255, 255)
    assert centre(read(stored(clear, "HEIF", quality=95))) == pytest.approx((255, 255, 255), abs=2)


def test_a_transparent_colour_of_a_palette_or_of_rgb_becomes_white() -> None:
    palette = Image.new("P", (40, 30), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    assert centre(read(stored(palette, "GIF", transparency=0))) == (255, 255, 255)
    assert centre(read(stored(palette, "PNG", transparency=0))) == (255, 255, 255)
    assert centre(read(stored(green(), "PNG", transparency=GREEN))) == (255, 255, 255)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_not_clipped_to_white(format: str) -> None:
    grey = Image.fromarray(np.full((30, 40), 0x8000, dtype=np.uint16))
    assert centre(read(stored(grey, format))) == (128, 128, 128)


def test_grey_of_twelve_bits_is_scaled_as_well() -> None:
    # Two samples of 0x800 in three bytes. Pillow does not write such files, which microscopes do.
    assert centre(read(tiff(12, bytes([0x80, 0x08, 0x00]) * (40 * 30 // 2)))) == (128, 128, 128)


def test_grey_whose_least_value_is_white_is_turned_whatever_its_depth() -> None:
    assert centre(read(tiff(8, b"\x40" * 1200, photometric=0))) == (191, 191, 191)
    assert centre(read(tiff(16, b"\x40\x40" * 1200, photometric=0))) == (191, 191, 191)


def test_grey_of_32_bits_without_a_sign_has_its_upper_half_above_its_lower() -> None:
    ramp = np.linspace(0, 2**32 - 1, 1200).astype("<u4")
    grey = np.asarray(read(tiff(32, ramp.tobytes())))[..., 0].ravel().astype(int)
    assert (grey[0], grey[-1]) == (0, 255)
    assert (np.diff(grey) >= 0).all()


def tiff(bits: int, data: bytes, *, photometric: int = 1) -> bytes:
    """Grey of 40 x 30 without a sign, as the kinds of TIFF that Pillow does not write."""
    fields = {256: 40, 257: 30, 258: bits, 259: 1, 262: photometric}
    fields |= {273: 8 + 2 + 12 * 9 + 4, 277: 1, 278: 30, 279: len(data)}
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields.items())
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + directory + bytes(4) + data


def test_grey_of_32_bits_or_of_floats_is_stretched_from_its_own_range() -> None:
    ramp = np.linspace(-5.0, 5.0, 256, dtype=np.float32).reshape(16, 16)
    assert np.asarray(read(stored(Image.fromarray(ramp), "TIFF")))[..., 0].ravel().tolist() == list(range(256))
    whole = (np.arange(256, dtype=np.int32) * 1_000_000).reshape(16, 16)
    assert np.asarray(read(stored(Image.fromarray(whole), "TIFF")))[..., 0].ravel().tolist() == list(range(256))


def test_grey_floats_without_any_range_or_with_infinities_are_still_an_image() -> None:
    flat = Image.fromarray(np.full((4, 4), 7.0, dtype=np.float32))
    wild = Image.fromarray(np.array([[np.nan, np.inf], [-np.inf, 1.0]], dtype=np.float32))
    assert centre(read(stored(flat, "TIFF"))) == (0, 0, 0)
    assert read(stored(wild, "TIFF")).size == (2, 2)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_the_orientation_is_applied(format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    left_half_red = green()
    left_half_red.paste("red", (0, 0, 20, 30))
    image = read(stored(left_half_red, format, exif=exif))
    assert image.size == (30, 40)
    assert image.getpixel((15, 5)) == pytest.approx((255, 0, 0), abs=30)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
def test_broken_exif_beside_sound_pixels_is_ignored() -> None:
    assert read(stored(green(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")).size == (40, 30)


def test_heic_is_turned_as_its_container_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    left_half_red = green()
    left_half_red.paste("red", (0, 0, 20, 30))
    # The bytes of the EXIF, since Pillow's object leaves the container's own field out.
    image = read(stored(left_half_red, "HEIF", exif=exif.tobytes()))
    assert image.size == (30, 40)
    assert image.getpixel((15, 5)) == pytest.approx((255, 0, 0), abs=30)


def test_bilevel_images_stay_black_and_white() -> None:
    halves = Image.new("1", (40, 30), 1)
    halves.paste(0, (0, 0, 20, 30))
    image = read(stored(halves, "TIFF", compression="group4"))
    assert (image.getpixel((5, 5)), image.getpixel((35, 5))) == ((0, 0, 0), (255, 255, 255))


def test_a_large_jpeg_is_decoded_at_a_scale_that_leaves_enough() -> None:
    data = stored(green(size=(1000, 800)), "JPEG")
    assert read(data, short_side=200).size == (250, 200)
    assert read(data, short_side=201).size == (500, 400)
    assert read(data, short_side=512).size == (1000, 800)


def refused(data: bytes, limits: Limits = LIMITS) -> ImageRefusedError:
    with pytest.raises(ImageRefusedError) as refusal:
        read(data, limits)
    return refusal.value


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that claims any size."""
    return png_of(struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), zlib.compress(bytes(9999)))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"", ErrorCode.EMPTY_FILE, id="no bytes"),
        pytest.param(bytes(LIMITS.bytes + 1), ErrorCode.TOO_LARGE, id="over the byte limit"),
        pytest.param(b"just some text\n", ErrorCode.NOT_AN_IMAGE, id="text"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", ErrorCode.NOT_AN_IMAGE, id="SVG"),
        pytest.param(b"%PDF-1.7\n", ErrorCode.NOT_AN_IMAGE, id="PDF"),
        pytest.param(b"\xff", ErrorCode.NOT_AN_IMAGE, id="one byte"),
        pytest.param(stored(green(), "PPM"), ErrorCode.NOT_AN_IMAGE, id="a format outside the list"),
        pytest.param(stored(green(), "JPEG")[:20], ErrorCode.DAMAGED_IMAGE, id="JPEG cut in its header"),
        pytest.param(stored(green(size=(400, 300)), "JPEG")[:-900], ErrorCode.DAMAGED_IMAGE, id="JPEG cut in its data"),
        pytest.param(stored(green(), "PNG")[:20], ErrorCode.DAMAGED_IMAGE, id="PNG cut in its header"),
        pytest.param(stored(green(), "PNG")[:-30], ErrorCode.DAMAGED_IMAGE, id="PNG cut in its data"),
        pytest.param(stored(green(), "WEBP")[:30], ErrorCode.DAMAGED_IMAGE, id="WebP cut short"),
        pytest.param(stored(green(), "TIFF")[:60], ErrorCode.DAMAGED_IMAGE, id="TIFF cut short"),
        pytest.param(stored(green(), "GIF")[:20], ErrorCode.DAMAGED_IMAGE, id="GIF cut short"),
        pytest.param(stored(green(), "HEIF")[:40], ErrorCode.DAMAGED_IMAGE, id="HEIC cut in its header"),
        pytest.param(stored(green(), "HEIF")[:-40], ErrorCode.DAMAGED_IMAGE, id="HEIC cut in its data"),
        pytest.param(stored(green(), "AVIF")[:-40], ErrorCode.DAMAGED_IMAGE, id="AVIF cut short"),
        pytest.param(stored(green(size=(1001, 1000)), "HEIF"), ErrorCode.TOO_MANY_PIXELS, id="HEIC over the limit"),
        pytest.param(bomb(1001, 1000), ErrorCode.TOO_MANY_PIXELS, id="just over the pixel limit"),
        pytest.param(bomb(50_000, 50_000), ErrorCode.TOO_MANY_PIXELS, id="a bomb"),
    ],
)
def test_a_bad_file_is_refused_with_its_code(data: bytes, code: ErrorCode) -> None:
    refusal = refused(data)
    assert refusal.code is code
    assert refusal.detail


def test_a_bomb_inside_a_small_animation_is_refused() -> None:
    # The logical screen stays small; the frame's own rectangle does not.
    data = bytearray(stored(green("P"), "GIF"))
    frame = data.index(b"\x2c", 13 + 3 * 2 ** ((data[10] & 7) + 1))
    data[frame + 5 : frame + 9] = struct.pack("<HH", 60_000, 60_000)
    assert refused(bytes(data)).code in (ErrorCode.TOO_MANY_PIXELS, ErrorCode.DAMAGED_IMAGE)


def test_thirty_thousand_pixels_wide_is_no_fault() -> None:
    assert read(stored(green(size=(30_000, 10)), "PNG")).size == (30_000, 10)


_SAMPLES: tuple[Callable[[], bytes], ...] = tuple(
    (lambda format=format: stored(green(size=(24, 16)), format))
    for format in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "JPEG2000", "HEIF")
)


# Pillow warns of odd metadata beside pixels that it can read.
@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=300)
@given(st.sampled_from(_SAMPLES), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8), st.data())
def test_whatever_happens_to_a_file_it_gives_an_rgb_image_or_a_refusal(
    sample: Callable[[], bytes], changes: list[tuple[int, int]], data: st.DataObject
) -> None:
    content = bytearray(sample())
    for position, value in changes:
        content[position % len(content)] = value
    content = content[: data.draw(st.integers(0, len(content)))]
    with suppress(ImageRefusedError):
        assert read(bytes(content)).mode == "RGB"
