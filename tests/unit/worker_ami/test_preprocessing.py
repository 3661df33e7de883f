"""The network sees what resizing and cropping as in its training would show it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop, resize, to_tensor

from tests.photos import larger_photos
from worker_ami.bake.efficientnet_lite0 import PREPROCESSING
from worker_ami.worker.model import Preprocessing
from worker_ami.worker.preprocessing import prepare


@settings(max_examples=30)
@given(st.integers(100, 900), st.integers(100, 900))
def test_it_equals_torchvisions_resize_and_crop_but_for_the_rounding_between_pillows_two_passes(
    width: int, height: int
) -> None:
    with Image.open(larger_photos()["espresso"]) as photo:
        image = photo.resize((width, height))
    expected = center_crop(resize(image, 256, InterpolationMode.BICUBIC), 224)
    seen = prepare(image, PREPROCESSING) * 128 + 127
    difference = np.abs(seen.transpose(1, 2, 0) - np.asarray(expected, dtype=np.float32))
    assert np.quantile(difference, 0.999) <= 2
    assert difference.mean() < 0.5


@pytest.mark.parametrize("size", [(180, 240), (500, 375), (4000, 3000)])
def test_its_resize_is_as_close_to_the_exact_result_as_pillows_own(size: tuple[int, int]) -> None:
    with Image.open(larger_photos()["palace"]) as photo:
        image = photo.resize(size)
    # The whole middle square, without torchvision's rounding of where it begins.
    square = center_crop(image, min(size))
    channels = [channel.convert("F").resize((256, 256), Image.Resampling.BICUBIC) for channel in square.split()]
    exact = np.stack([np.asarray(channel) for channel in channels]).clip(0, 255)
    pillows = np.asarray(square.resize((256, 256), Image.Resampling.BICUBIC), dtype=np.float32).transpose(2, 0, 1)
    whole = Preprocessing(resize=256, interpolation="bicubic", crop=256, mean=(0, 0, 0), std=(1, 1, 1))
    assert np.abs(prepare(square, whole) - exact).mean() <= 1.05 * np.abs(pillows - exact).mean()


@settings(max_examples=60)
@given(st.integers(1, 3000), st.integers(1, 3000))
def test_every_size_gives_one_finite_square(width: int, height: int) -> None:
    prepared = prepare(Image.new("RGB", (width, height), (255, 127, 0)), PREPROCESSING)
    assert prepared.shape == (3, 224, 224)
    assert prepared.dtype == np.float32
    assert prepared.flags.c_contiguous
    assert [float(channel.mean()) for channel in prepared] == pytest.approx([1.0, 0.0, -127 / 128])


def test_a_strip_of_thirty_thousand_pixels_costs_no_large_intermediate_image() -> None:
    assert prepare(Image.new("RGB", (30_000, 1)), PREPROCESSING).shape == (3, 224, 224)


@settings(max_examples=40)
@given(st.integers(1, 1500), st.integers(1, 1500))
def test_an_image_at_its_own_size_is_given_as_it_is_and_scaled_down_only_beyond_the_bound(
    width: int, height: int
) -> None:
    own = Preprocessing(longest=1000, interpolation="bilinear", mean=(0, 0, 0), std=(255, 255, 255))
    image = Image.new("RGB", (width, height), (255, 51, 0))
    prepared = prepare(image, own)
    assert max(prepared.shape) == max(8, min(1000, max(width, height)))
    assert min(prepared.shape[1:]) >= 8
    if max(width, height) <= 1000 and min(width, height) >= 8:
        assert np.array_equal(prepared, to_tensor(image).numpy())
    assert [float(channel.mean()) for channel in prepared] == pytest.approx([1, 0.2, 0])


@pytest.mark.parametrize(
    "sizes", [{}, {"resize": 8}, {"crop": 8}, {"longest": 8, "crop": 8}, {"longest": 9, "resize": 8, "crop": 8}]
)
def test_a_definition_says_one_way_to_the_input_and_only_one(sizes: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match="either resize and crop, or longest"):
        Preprocessing(interpolation="bilinear", mean=(0, 0, 0), std=(1, 1, 1), **sizes)  # type: ignore[arg-type]


def test_a_definition_whose_crop_exceeds_its_size_is_refused() -> None:
    with pytest.raises(ValidationError, match="larger than resize"):
        Preprocessing(resize=200, interpolation="bilinear", crop=224, mean=(0, 0, 0), std=(1, 1, 1))
