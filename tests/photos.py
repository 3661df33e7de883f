"""The photos that packages ship, with what is in them."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Photo:
    """A real photo, and the index of its ImageNet class (0 to 999) as its package gives it."""

    path: Path
    class_index: int


def imagenet_photos() -> list[Photo]:
    """Foolbox's twenty ImageNet photos, 224 pixels wide."""
    files = sorted((_package("foolbox") / "data").glob("imagenet_*.jpg"))
    assert len(files) == 20
    return [Photo(path=file, class_index=int(file.stem.rsplit("_", 1)[1])) for file in files]


def larger_photos() -> dict[str, Path]:
    """Photos that scikit-image and scikit-learn ship, by the top-1 label that EfficientNet-Lite0 gives them."""
    return {
        "espresso": _package("skimage") / "data" / "coffee.png",
        "missile": _package("skimage") / "data" / "rocket.jpg",
        "palace": _package("sklearn") / "datasets" / "images" / "china.jpg",
        "daisy": _package("sklearn") / "datasets" / "images" / "flower.jpg",
    }


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])
