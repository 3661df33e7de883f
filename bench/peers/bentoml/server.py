"""A BentoML service: one model in each worker, a photo as a file."""

import os
from pathlib import Path

import bentoml

from bench.peers.model import PhotoModel


@bentoml.service(workers=int(os.environ["PEERS_WORKERS"]))
class Photos:
    """From a photo to its label."""

    def __init__(self) -> None:
        self.model = PhotoModel()

    @bentoml.api  # type: ignore[untyped-decorator]
    def classify(self, image: Path) -> str:
        """The label of the form's photo."""
        return self.model.classify(image.read_bytes())
