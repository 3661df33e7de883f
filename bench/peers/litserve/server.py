"""LitServe's four steps around the model: `python -m bench.peers.litserve.server PORT WORKERS`."""

import sys

import litserve as ls
import numpy as np
from fastapi import Request
from numpy.typing import NDArray

from bench.peers.model import PhotoModel


class Photos(ls.LitAPI):  # type: ignore[misc]
    """From the form's photo to its label."""

    def setup(self, device: str) -> None:
        """Load the model, in each worker."""
        self.model = PhotoModel()

    def decode_request(self, request: Request) -> NDArray[np.float32]:
        """The network's input. Of a request LitServe passes on its form alone."""
        return self.model.decode(request["image"].file.read())

    def predict(self, x: NDArray[np.float32]) -> str:
        """Its label."""
        return self.model.infer(x)

    def encode_response(self, output: str) -> dict[str, str]:
        """The answer."""
        return {"label": output}


if __name__ == "__main__":
    server = ls.LitServer(
        Photos(api_path="/"), accelerator="cpu", workers_per_device=int(sys.argv[2]), restart_workers=True
    )
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
