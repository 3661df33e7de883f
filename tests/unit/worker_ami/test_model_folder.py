"""A model folder is whole and unaltered, or it is not used; it is made once."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from worker_ami.bake.folder import make_once
from worker_ami.worker.model import (
    DEFINITION_FILE,
    LABELS_FILE,
    ONNX_FILE,
    TORCH_FILE,
    Model,
    ModelDefinition,
    ModelError,
    Preprocessing,
    Proof,
    file_sha256,
    load_model,
)


def fill(folder: Path, network: bytes = b"network") -> None:
    (folder / ONNX_FILE).write_bytes(network)
    (folder / LABELS_FILE).write_text("cat\ndog\n")
    definition = ModelDefinition(
        name="tiny",
        classes=2,
        preprocessing=Preprocessing(resize=8, interpolation="bilinear", crop=8, mean=(0, 0, 0), std=(255, 255, 255)),
        files={name: file_sha256(folder / name) for name in (ONNX_FILE, LABELS_FILE)},
        weights="none",
        versions={},
        proof=Proof(images=1, largest_logit_difference=0),
    )
    (folder / DEFINITION_FILE).write_text(definition.model_dump_json())


class Maker:
    """Fills folders, and counts them."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, folder: Path) -> None:
        self.made += 1
        fill(folder)


def make(out: Path, maker: Maker, needs: tuple[str, ...] = (ONNX_FILE,), name: str = "tiny") -> list[str]:
    said: list[str] = []
    make_once(out, maker, needs=needs, wanted=lambda definition: definition.name == name, say=said.append)
    return said


def test_an_intact_folder_is_made_once(tmp_path: Path) -> None:
    maker = Maker()
    make(tmp_path / "models" / "tiny", maker)
    said = make(tmp_path / "models" / "tiny", maker)
    assert maker.made == 1
    assert "nothing to do" in said[0]
    assert load_model(tmp_path / "models" / "tiny").labels == ("cat", "dog")


def test_the_folder_can_be_read_by_the_worker_s_own_user(tmp_path: Path) -> None:
    make(tmp_path / "tiny", Maker())
    assert (tmp_path / "tiny").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("harm", ["altered", "missing", "no definition", "another engine's", "another model"])
def test_a_folder_that_is_not_intact_is_made_again(tmp_path: Path, harm: str) -> None:
    maker, out = Maker(), tmp_path / "tiny"
    make(out, maker)
    if harm == "altered":
        (out / ONNX_FILE).write_bytes(b"another")
    elif harm == "missing":
        (out / LABELS_FILE).unlink()
    elif harm == "no definition":
        (out / DEFINITION_FILE).write_text("{}")
    needs = (TORCH_FILE,) if harm == "another engine's" else (ONNX_FILE,)
    make(out, maker, needs, name="huge" if harm == "another model" else "tiny")
    assert maker.made == 2
    assert load_model(out).definition.name == "tiny"


def test_a_failed_making_leaves_the_old_folder_and_no_rest(tmp_path: Path) -> None:
    out = tmp_path / "tiny"
    make(out, Maker())
    (out / ONNX_FILE).write_bytes(b"broken by hand")

    def fail(folder: Path) -> None:
        fill(folder)
        raise RuntimeError("the export differs")

    with pytest.raises(RuntimeError, match="differs"):
        make_once(out, fail, needs=(ONNX_FILE,), wanted=lambda _: True, say=str)
    assert (out / ONNX_FILE).read_bytes() == b"broken by hand"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".tiny.lock", "tiny"]


def test_two_that_make_the_same_folder_at_once_make_it_once(tmp_path: Path) -> None:
    maker = Maker()
    threads = [threading.Thread(target=make, args=(tmp_path / "tiny", maker)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert maker.made == 1


def test_an_intact_folder_costs_no_import_of_torch(model: Model) -> None:
    code = (
        "import sys; from worker_ami.bake.__main__ import main;"
        f"main(['--out', {str(model.folder)!r}], standalone_mode=False); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.splitlines()[-1] == "False"


def test_a_file_that_was_altered_after_the_bake_is_refused(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / ONNX_FILE).write_bytes(b"another")
    with pytest.raises(ModelError, match=r"model\.onnx is not the file that was baked"):
        load_model(tmp_path)


def test_labels_that_do_not_fit_the_classes_are_refused(tmp_path: Path) -> None:
    fill(tmp_path)
    definition = ModelDefinition.model_validate_json((tmp_path / DEFINITION_FILE).read_text())
    altered = definition.model_copy(update={"classes": 3})
    (tmp_path / DEFINITION_FILE).write_text(altered.model_dump_json())
    with pytest.raises(ModelError, match="2 lines for 3 classes"):
        load_model(tmp_path)


def test_a_missing_folder_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"worker_ami\.bake"):
        load_model(tmp_path / "nowhere")


def test_a_model_baked_without_the_engine_s_file_says_so(tmp_path: Path) -> None:
    fill(tmp_path)
    with pytest.raises(ModelError, match=r"holds no model\.pt2"):
        load_model(tmp_path).file(TORCH_FILE)
