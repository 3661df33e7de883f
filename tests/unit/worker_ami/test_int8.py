"""The network in 8-bit integers is judged by photos that its calibration did not see, and refused when it errs."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from tests.photos import imagenet_photos, larger_photos
from tests.unit.worker_ami.test_bake import PREPROCESSING, Tiny, program
from worker_ami.bake.__main__ import main
from worker_ami.bake.export import export_program, write_onnx
from worker_ami.bake.int8 import halves, judge, write_int8
from worker_ami.bake.order import OrderError
from worker_ami.bake.photos import Photo, read_photos
from worker_ami.bake.proof import ProofError
from worker_ami.worker.assembly import identity
from worker_ami.worker.engines import open_engine
from worker_ami.worker.engines.onnx import OnnxEngine
from worker_ami.worker.model import INT8_FILE, ONNX_FILE, Model, ModelError, Preprocessing, load_model

SMALL = Preprocessing.model_validate_json(PREPROCESSING)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real photos: twenty in folders by the index of their class, four whose class nobody says."""
    folder = tmp_path_factory.mktemp("photos")
    for photo in imagenet_photos():
        (folder / str(photo.class_index)).mkdir(exist_ok=True)
        shutil.copy(photo.path, folder / str(photo.class_index))
    for path in larger_photos().values():
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def quantised(model: Model, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """EfficientNet-Lite0 with its network in 8-bit integers."""
    folder = shutil.copytree(model.folder, tmp_path_factory.mktemp("int8") / "model")
    calibration, judges = halves(read_photos(photos, model.labels, model.definition.preprocessing))
    write_int8(folder / ONNX_FILE, folder / INT8_FILE, calibration)
    judged = judge(OnnxEngine(folder / ONNX_FILE), OnnxEngine(folder / INT8_FILE), judges)
    files = model.definition.files | {INT8_FILE: ""}
    return replace(
        model, folder=folder, definition=model.definition.model_copy(update={"files": files, "int8": judged})
    )


def test_it_agrees_with_the_exact_network_on_photos_that_its_calibration_did_not_see(quantised: Model) -> None:
    judged = quantised.definition.int8
    assert judged is not None
    assert (judged.photos, judged.labelled) == (12, 10)
    assert judged.agreed >= 11
    assert judged.right >= judged.right_exactly - 1
    assert identity("i-1", quantised, "onnxruntime-int8")["accuracy"] == str(judged)
    assert "accuracy" not in identity("i-1", quantised, "onnxruntime")
    assert str(judged).startswith(f"int8 agrees with the exact network on {judged.agreed} of 12 photos; ")


def test_it_names_what_is_in_real_photos_from_a_third_of_the_bytes(quantised: Model, photos: Path) -> None:
    engine = open_engine("onnxruntime-int8", quantised)
    read = read_photos(photos, quantised.labels, quantised.definition.preprocessing)
    labelled = [photo for photo in read if photo.class_index is not None]
    assert sum(int(engine.logits(photo.image)[0].argmax()) == photo.class_index for photo in labelled) >= 17
    assert quantised.file(INT8_FILE).stat().st_size < 0.35 * quantised.file(ONNX_FILE).stat().st_size


def test_a_network_that_answers_otherwise_is_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    photos = [Photo(random.normal(size=(1, 3, 16, 16)).astype(np.float32), None) for _ in range(40)]
    for seed in (1, 2):
        torch.manual_seed(seed)
        write_onnx(export_program(Tiny().eval(), SMALL), tmp_path / f"{seed}.onnx")
        write_int8(tmp_path / f"{seed}.onnx", tmp_path / f"{seed}.int8.onnx", photos)
    with pytest.raises(ProofError, match=r"int8 agrees .* on \d+ of 40 photos, fewer than 90%: give more photos"):
        judge(OnnxEngine(tmp_path / "1.onnx"), OnnxEngine(tmp_path / "2.int8.onnx"), photos)


def test_a_model_baked_without_it_says_so(model: Model) -> None:
    with pytest.raises(ModelError, match=rf"holds no {INT8_FILE}: bake the model for this engine"):
        open_engine("onnxruntime-int8", model)


def test_too_few_photos_are_refused(photos: Path, model: Model) -> None:
    read = read_photos(photos, model.labels, model.definition.preprocessing)
    with pytest.raises(OrderError, match="19 photos to calibrate and judge int8 with: give at least 20"):
        halves(read[:19])


def test_a_file_that_is_no_image_is_named(tmp_path: Path, model: Model) -> None:
    (tmp_path / "notes.txt").write_text("not a photo")
    with pytest.raises(OrderError, match=r"notes\.txt is no image to calibrate with .*: take it out"):
        read_photos(tmp_path, model.labels, model.definition.preprocessing)


def test_a_photo_in_a_folder_named_as_a_label_or_a_class_s_index_is_of_that_class(tmp_path: Path, model: Model) -> None:
    for name in ("daisy", "3", "unknown", "."):
        (tmp_path / name).mkdir(exist_ok=True)
        Image.new("RGB", (30, 20)).save(tmp_path / name / "photo.png")
    read = read_photos(tmp_path, model.labels, model.definition.preprocessing)
    assert [photo.class_index for photo in read] == [3, model.labels.index("daisy"), None, None]
    assert read[0].image.shape == (1, 3, 224, 224)
    assert read[0].image.dtype == np.float32


def test_one_command_bakes_it_beside_the_exact_network(photos: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("cat\ndog\nspace ship\n")
    file = program(tmp_path, batches=True)
    asked = ("--out", tmp_path / "model", "--program", file, "--labels", labels, "--preprocessing", PREPROCESSING)
    done = CliRunner().invoke(main, [*map(str, asked), "--int8", str(photos)])
    assert done.exit_code == 0, done.output
    baked = load_model(tmp_path / "model")
    assert baked.definition.int8 is not None
    assert str(baked.definition.int8) in done.output
    assert json.loads((baked.folder / "model.json").read_text())["int8"]["photos"] == 12
    assert baked.file(INT8_FILE).exists()
