"""The network in 8-bit integers: calibrated on one half of the photos that it is given, judged on the other half."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worker_ami.bake.export import INPUT
from worker_ami.bake.order import OrderError
from worker_ami.bake.photos import Photo
from worker_ami.bake.proof import ProofError
from worker_ami.worker.engines import Engine
from worker_ami.worker.model import Int8Proof

# isort: split
# First the module that refuses ONNX Runtime's telemetry, which must be done before it is loaded.
import worker_ami.worker.engines.runtime  # noqa: F401

# isort: split
from onnxruntime.quantization import (  # type: ignore[import-untyped]
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

# Fewer say little about the ranges inside a network, and nothing about how often it changes its mind.
FEWEST_PHOTOS = 20
# The least share of photos on which both must agree; 37 of 38 were measured with EfficientNet-Lite0.
AGREEMENT = 0.9


def halves(photos: Sequence[Photo]) -> tuple[tuple[Photo, ...], tuple[Photo, ...]]:
    """The photos to calibrate with and those to judge by: every other one, so that both halves see every class.

    Raises:
        OrderError: too few.
    """
    if len(photos) < FEWEST_PHOTOS:
        raise OrderError(f"{len(photos)} photos to calibrate and judge int8 with: give at least {FEWEST_PHOTOS}")
    return tuple(photos[::2]), tuple(photos[1::2])


def write_int8(onnx_file: Path, out: Path, calibration: Sequence[Photo]) -> None:
    """Quantise statically: unsigned activations, signed weights by channel in 7 bits.

    Of the recipes tried this one kept the answers. Seven bits, since the multiply-add of processors without VNNI
    saturates at 16 bits: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
    """
    quantize_static(
        onnx_file,
        out,
        _Reader(photo.image for photo in calibration),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
    )


def judge(exact: Engine, int8: Engine, photos: Sequence[Photo]) -> Int8Proof:
    """Compare the top-1 classes of the two engines on photos that the calibration did not see.

    Raises:
        ProofError: they agree on too few.
    """
    known, seen = _top1(exact, photos), _top1(int8, photos)
    agreed = sum(a == b for a, b in zip(known, seen, strict=True))
    if agreed < AGREEMENT * len(photos):
        raise ProofError(
            f"int8 agrees with the exact network on {agreed} of {len(photos)} photos, fewer than {AGREEMENT:.0%}: "
            "give more photos, of the kind it will see, or choose the engine onnxruntime"
        )
    truth = [photo.class_index for photo in photos]
    return Int8Proof(
        photos=len(photos),
        agreed=agreed,
        labelled=sum(index is not None for index in truth),
        right=sum(a == b for a, b in zip(seen, truth, strict=True)),
        right_exactly=sum(a == b for a, b in zip(known, truth, strict=True)),
    )


def _top1(engine: Engine, photos: Sequence[Photo]) -> list[int]:
    return [int(engine.logits(photo.image).argmax()) for photo in photos]


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, images: Iterator[NDArray[np.float32]]) -> None:
        self._images = images

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        image = next(self._images, None)
        return None if image is None else {INPUT: image}
