"""The worker names what is in real photos, at any size and in any container that keeps their pixels."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from novaburst.bounds import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS
from tests.photos import imagenet_photos, larger_photos
from worker_ami.worker.classifier import Classifier
from worker_ami.worker.decode import Limits
from worker_ami.worker.engines import open_engine
from worker_ami.worker.model import Model


@pytest.fixture(scope="module")
def classifier(model: Model) -> Classifier:
    limits = Limits(bytes=MAX_IMAGE_BYTES, pixels=MAX_IMAGE_PIXELS)
    return Classifier(model, open_engine("onnxruntime", model), limits, threads=2)


def test_eighteen_of_twenty_labelled_photos_get_their_class_and_nineteen_have_it_in_the_top_five(
    classifier: Classifier, model: Model
) -> None:
    first, among = 0, 0
    for photo in imagenet_photos():
        labels = [guess.label for guess in classifier.classify(photo.path.read_bytes()).guesses]
        first += labels[0] == model.labels[photo.class_index]
        among += model.labels[photo.class_index] in labels
    assert (first, among) == (18, 19)


@pytest.mark.parametrize("label", larger_photos())
def test_larger_photos_get_their_labels(classifier: Classifier, label: str) -> None:
    assert classifier.classify(larger_photos()[label].read_bytes()).guesses[0].label == label


@pytest.mark.parametrize("label", larger_photos())
def test_a_twelve_megapixel_jpeg_gets_the_same_label_as_the_photo_it_was_made_from(
    classifier: Classifier, label: str
) -> None:
    assert classifier.classify(_enlarged(larger_photos()[label], 4000)).guesses[0].label == label


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_photo_stored_turned_gets_the_same_answer_as_upright(classifier: Classifier, orientation: int) -> None:
    with Image.open(larger_photos()["palace"]) as upright:
        stored = upright.transpose(_TO_STORED[orientation])
        exif = Image.Exif()
        exif[0x0112] = orientation
        buffer = BytesIO()
        stored.save(buffer, "PNG", exif=exif)
        plain = BytesIO()
        upright.save(plain, "PNG")
    assert classifier.classify(buffer.getvalue()).guesses == classifier.classify(plain.getvalue()).guesses


def test_the_stages_are_timed(classifier: Classifier) -> None:
    seen = classifier.classify(larger_photos()["daisy"].read_bytes())
    assert seen.decode_ms > 0
    assert seen.infer_ms > 0


# What a camera does to an upright picture to store it with each orientation: the inverse of what EXIF prescribes.
_TO_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def _enlarged(path: Path, width: int) -> bytes:
    with Image.open(path) as image:
        size = (width, width * image.height // image.width)
        buffer = BytesIO()
        image.convert("RGB").resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
