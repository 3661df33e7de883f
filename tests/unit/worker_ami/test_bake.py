"""A model folder is made of whatever model its user has; what cannot be meant is refused before anything is made."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.export import Dim
from torchvision import models
from torchvision.transforms.functional import to_tensor

from tests.photos import larger_photos
from worker_ami.bake.__main__ import main
from worker_ami.bake.order import OrderError, read_labels
from worker_ami.worker.classifier import Classifier
from worker_ami.worker.decode import Limits
from worker_ami.worker.engines import EngineName, open_engine
from worker_ami.worker.model import Model, ModelDefinition, file_sha256, load_model
from worker_ami.worker.preprocessing import prepare

Bake = Callable[..., Model]
LIMITS = Limits(bytes=1 << 20, pixels=1 << 22)
PREPROCESSING = json.dumps(
    {"resize": 20, "crop": 16, "interpolation": "bilinear", "mean": [0, 0, 0], "std": [255, 255, 255]}
)


def run(*options: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, [str(option) for option in options], catch_exceptions=False)
    return done.exit_code, done.output


@pytest.fixture
def bake(tmp_path: Path) -> Bake:
    def make(*options: object) -> Model:
        status, said = run("--out", tmp_path / "model", *options)
        assert status == 0, said
        return load_model(tmp_path / "model")

    return make


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("cat\ndog\nspace ship\n")
    return path


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state dict of SqueezeNet 1.1 with three classes, made up."""
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("weights") / "mine.pt"
    torch.save(models.squeezenet1_1(num_classes=3).state_dict(), path)
    return path


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(196, 3))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.layers(pictures)  # type: ignore[no-any-return]


def program(folder: Path, *, batches: bool) -> Path:
    torch.manual_seed(6)
    shapes = ({0: Dim("n")},) if batches else None
    example = torch.zeros(2 if batches else 1, 3, 16, 16)
    path = folder / "mine.pt2"
    torch.export.save(torch.export.export(Tiny().eval(), (example,), dynamic_shapes=shapes), path)
    return path


def logits(model: Model, image: Image.Image, engine: EngineName = "onnxruntime") -> NDArray[np.float32]:
    prepared = prepare(image, model.definition.preprocessing)
    return open_engine(engine, model).logits(prepared[np.newaxis])[0]


def test_a_user_s_state_dict_and_labels_become_a_model_that_answers_as_torch_does(
    bake: Bake, squeezenet: Path, labels: Path
) -> None:
    options = ("--model", "squeezenet1_1", "--weights", squeezenet, "--labels", labels)
    model = bake(*options, "--sha256", file_sha256(squeezenet).upper())
    network = models.squeezenet1_1(num_classes=3)
    network.load_state_dict(torch.load(squeezenet, weights_only=True))
    with Image.open(larger_photos()["palace"]) as photo:
        expected = network.eval()(models.SqueezeNet1_1_Weights.DEFAULT.transforms()(photo)[None])
        assert logits(model, photo) == pytest.approx(expected[0].detach().numpy(), abs=0.1)
    assert model.labels == ("cat", "dog", "space ship")
    assert model.definition.weights == f"mine.pt sha256:{file_sha256(squeezenet)}"
    classifier = Classifier(model, open_engine("onnxruntime", model), LIMITS, threads=1)
    assert len(classifier.classify(larger_photos()["palace"].read_bytes()).guesses) == 3


def test_what_is_baked_already_is_not_baked_again_and_another_order_is(tmp_path: Path, labels: Path) -> None:
    file = program(tmp_path, batches=True)
    asked = ("--out", tmp_path / "model", "--program", file, "--labels", labels, "--preprocessing", PREPROCESSING)
    assert "is ready" in run(*asked)[1]
    assert "nothing to do" in run(*asked)[1]
    labels.write_text("cat\ndog\nhorse\n")
    assert "is ready" in run(*asked)[1]
    assert load_model(tmp_path / "model").labels == ("cat", "dog", "horse")


@pytest.mark.parametrize("batches", [True, False])
def test_a_user_s_program_becomes_a_model(bake: Bake, tmp_path: Path, labels: Path, batches: bool) -> None:
    file = program(tmp_path, batches=batches)
    model = bake("--program", file, "--labels", labels, "--preprocessing", PREPROCESSING, "--with-torch")
    assert model.definition.name == "mine"
    assert (
        model.definition.preprocessing
        == ModelDefinition.model_validate(
            model.definition.model_dump() | {"preprocessing": json.loads(PREPROCESSING)}
        ).preprocessing
    )
    with Image.open(larger_photos()["palace"]) as photo:
        prepared = prepare(photo, model.definition.preprocessing)[np.newaxis]
    expected = torch.export.load(file).module()(torch.from_numpy(prepared)).detach().numpy()
    assert open_engine("onnxruntime", model).logits(prepared) == pytest.approx(expected, abs=1e-5)
    assert open_engine("torch", model).logits(prepared) == pytest.approx(expected, abs=1e-5)


def test_the_course_s_model_sees_the_whole_picture_at_its_own_size(bake: Bake, tmp_path: Path) -> None:
    torch.manual_seed(7)
    network = models.resnet18(num_classes=3)
    torch.save(network.state_dict(), tmp_path / "resnet18.pth")
    labels = tmp_path / "imagenet-labels.json"
    labels.write_text(json.dumps({"0": "tench", "1": "goldfish", "2": "great white shark"}))
    model = bake("--model", "course", "--weights", tmp_path / "resnet18.pth", "--labels", labels, "--with-torch")
    assert model.labels == ("tench", "goldfish", "great white shark")
    with Image.open(larger_photos()["palace"]) as photo:
        for size in ((320, 213), (64, 64), (90, 200), (1, 1)):
            image = photo.resize(size)
            shown = image if size != (1, 1) else image.resize((8, 8))
            expected = network.eval()(to_tensor(shown)[None])[0].detach().numpy()
            assert logits(model, image) == pytest.approx(expected, abs=1e-4)
            assert logits(model, image, "torch") == pytest.approx(expected, abs=1e-4)


def test_torchvision_s_own_weights_are_fetched_once_at_bake_time_and_checked_against_their_hash(
    bake: Bake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[bool] = []

    def load(url: str, *, check_hash: bool, **_: object) -> dict[str, torch.Tensor]:
        fetched.append(check_hash)
        torch.manual_seed(8)
        return dict(models.squeezenet1_1().state_dict())

    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", load)
    model = bake("--model", "squeezenet1_1")
    assert fetched == [True]
    assert model.labels[0] == "tench"
    assert model.definition.preprocessing.resize == 256
    assert "torchvision" in model.definition.weights
    bake("--model", "squeezenet1_1")
    assert len(fetched) == 1


def refusal(tmp_path: Path, *options: object) -> str:
    status, said = run("--out", tmp_path / "model", *options)
    assert status == 1
    assert not (tmp_path / "model").exists()
    return said


def test_what_cannot_be_meant_is_refused(tmp_path: Path, labels: Path, squeezenet: Path) -> None:
    file = program(tmp_path, batches=True)
    mine = ("--model", "squeezenet1_1", "--weights", squeezenet, "--labels", labels)
    assert "has the SHA-256" in refusal(tmp_path, *mine, "--sha256", "0" * 64)
    assert "give one" in refusal(tmp_path, "--sha256", "0" * 64)
    assert "without --model" in refusal(tmp_path, "--program", file, "--model", "resnet18")
    assert "--preprocessing" in refusal(tmp_path, "--program", file, "--labels", labels)
    assert "label file" in refusal(tmp_path, "--model", "course")
    assert "name another model" in refusal(tmp_path, "--labels", labels)
    assert "no classification model" in refusal(tmp_path, "--model", "resnet19", "--labels", labels)
    assert "no state dict of alexnet" in refusal(tmp_path, "--model", "alexnet", *mine[2:])
    assert "no state dict" in refusal(tmp_path, "--model", "squeezenet1_1", "--weights", labels, "--labels", labels)
    assert "3 labels for the 1000" in refusal(tmp_path, "--model", "squeezenet1_1", "--labels", labels)
    assert "interpolation" in refusal(tmp_path, "--program", file, "--labels", labels, "--preprocessing", "{}")


def test_labels_that_do_not_fit_the_program_are_refused(tmp_path: Path, labels: Path) -> None:
    file = program(tmp_path, batches=True)
    labels.write_text("cat\ndog\n")
    status, said = run(
        "--out", tmp_path / "model", "--program", file, "--labels", labels, "--preprocessing", PREPROCESSING
    )
    assert status == 1
    assert "2 labels" in said


@pytest.mark.parametrize("text", ["a\nb b\n", "a\r\nb  b", '["a", "b b"]', '{"1": "b b", "0": "a"}'])
def test_labels_are_read_as_lines_or_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels").write_text(text)
    assert read_labels(tmp_path / "labels") == ("a", "b b")


@pytest.mark.parametrize("text", ["", "a\n\nb\n", "[]", '{"0": "a", "2": "b"}', "[1"])
def test_labels_with_a_gap_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels").write_text(text)
    with pytest.raises(OrderError, match="label"):
        read_labels(tmp_path / "labels")
