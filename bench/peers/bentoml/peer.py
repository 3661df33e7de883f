"""BentoML: a service with as many workers as cores."""

from contextlib import AbstractContextManager
from pathlib import Path

from bench.peers.environments import CORES, environment, variables
from bench.peers.parts import System, alone
from bench.peers.peer import Peer
from local_cloud.preflight import free_port


def start(folder: Path, model: Path) -> AbstractContextManager[System]:
    """`bentoml serve`, without its reports of usage to its makers."""
    bin_folder, port = environment("bentoml"), free_port()
    command = [str(bin_folder / "bentoml"), "serve", "bench.peers.bentoml.server:Photos"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    settings = variables(bin_folder, model, folder) | {
        "PEERS_WORKERS": str(CORES),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    return alone("bentoml", command, settings, folder, f"http://127.0.0.1:{port}/classify")


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
