"""The models that the benchmark of the worker serves: the default one for every engine, and an untrained ResNet-18."""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torchvision import models  # type: ignore[import-untyped]

from tests.photos import imagenet_photos, larger_photos
from worker_ami.bake import efficientnet_lite0

PROJECT = Path(__file__).resolve().parents[1]
_FOLDER = PROJECT / ".novaburst" / "models"
LITE0 = _FOLDER / "bench-efficientnet_lite0"
RESNET18 = _FOLDER / "bench-resnet18"


def bake_models() -> None:
    """Make both folders, unless they are there."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        photos = folder / "photos"
        for photo in imagenet_photos():
            (photos / str(photo.class_index)).mkdir(parents=True, exist_ok=True)
            shutil.copy(photo.path, photos / str(photo.class_index))
        for path in larger_photos().values():
            shutil.copy(path, photos)
        _bake(LITE0, "--with-torch", "--int8", str(photos))
        # What a network computes takes no longer or shorter for being trained; the seed keeps the folder the same.
        torch.manual_seed(18)
        torch.save(models.resnet18().state_dict(), folder / "resnet18.pt")
        (folder / "labels.txt").write_text("\n".join(efficientnet_lite0.labels()))
        weights = ("--weights", str(folder / "resnet18.pt"), "--labels", str(folder / "labels.txt"))
        _bake(RESNET18, "--model", "resnet18", *weights)


def _bake(out: Path, *options: str) -> None:
    subprocess.run([sys.executable, "-m", "worker_ami.bake", "--out", str(out), *options], cwd=PROJECT, check=True)
