"""Both engines give one row of logits an image, in batches of any size, from several threads at once."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from worker_ami.bake.export import export_program, prove, write_onnx
from worker_ami.worker.engines import EngineName, open_engine
from worker_ami.worker.model import ONNX_FILE, TORCH_FILE, Model, ModelDefinition, Preprocessing, Proof

SIDE = 8
PREPROCESSING = Preprocessing(resize=SIDE, interpolation="bilinear", crop=SIDE, mean=(0, 0, 0), std=(1, 1, 1))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU6(), nn.Flatten(), nn.Linear(36, 5)).eval()


@pytest.fixture(scope="module")
def tiny(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("tiny")
    program = export_program(network, PREPROCESSING)
    write_onnx(program, folder / ONNX_FILE)
    torch.export.save(program, folder / TORCH_FILE)
    definition = ModelDefinition(
        name="tiny",
        classes=5,
        preprocessing=PREPROCESSING,
        files={ONNX_FILE: "", TORCH_FILE: ""},
        weights="none",
        versions={},
        proof=Proof(images=1, largest_logit_difference=0),
    )
    return Model(folder, definition, tuple("abcde"))


@pytest.mark.parametrize("name", ["onnxruntime", "torch"])
@pytest.mark.parametrize("size", [1, 2, 7])
def test_an_engine_answers_as_the_network(name: EngineName, size: int, network: nn.Module, tiny: Model) -> None:
    images = np.random.default_rng(size).normal(size=(size, 3, SIDE, SIDE)).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).numpy()
    assert open_engine(name, tiny).logits(images) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", ["onnxruntime", "torch"])
def test_an_engine_serves_several_threads_at_once(name: EngineName, tiny: Model) -> None:
    engine = open_engine(name, tiny)
    images = np.random.default_rng(0).normal(size=(40, 1, 3, SIDE, SIDE)).astype(np.float32)
    alone = [engine.logits(image) for image in images]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(engine.logits, images))
    assert np.array_equal(alone, together)


def test_an_export_is_one_file(tiny: Model, network: nn.Module) -> None:
    assert sorted(path.name for path in tiny.folder.iterdir()) == [ONNX_FILE, TORCH_FILE]
    batches = iter([np.ones((3, 3, SIDE, SIDE), dtype=np.float32)])
    assert prove(network, open_engine("onnxruntime", tiny), batches, classes=5).images == 3


def test_onnx_runtime_sends_nothing_home_and_makes_no_identity_of_the_machine(tiny: Model, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from worker_ami.worker.engines.runtime import onnxruntime\n"
        "onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])\n"
    )
    # Without CI in its environment: ONNX Runtime is silent there by itself.
    subprocess.run([sys.executable, "-c", program, tiny.file(ONNX_FILE)], env={"HOME": str(tmp_path)}, check=True)
    assert list(tmp_path.iterdir()) == []
