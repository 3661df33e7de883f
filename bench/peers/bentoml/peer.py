"""BentoML: a service with as many workers as cores."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.peers.environments import CORES, environment, variables
from bench.peers.parts import System, starter
from bench.peers.peer import Peer
from local_cloud.preflight import free_port


@contextmanager
def start(folder: Path, model: Path) -> Iterator[System]:
    """`bentoml serve`, without its reports of usage to its makers."""
    bin_folder, port = environment("bentoml"), free_port()
    command = [str(bin_folder / "bentoml"), "serve", "bench.peers.bentoml.server:Photos"]
    settings = variables(bin_folder, model, folder) | {
        "PEERS_WORKERS": str(CORES),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    with starter(folder) as parts:
        began = time.perf_counter()
        parts.start("bentoml", [*command, "--host", "127.0.0.1", "--port", str(port)], settings)
        yield System(f"http://127.0.0.1:{port}/classify", parts.parts, began)


PEER = Peer(
    name="bentoml",
    way=f"BentoML, {CORES} workers",
    pages=(
        "docs.bentoml.com/en/latest/build-with-bentoml/parallelize-requests.html",
        "docs.bentoml.com/en/latest/build-with-bentoml/iotypes.html",
    ),
    repeats=False,
    start=start,
)
