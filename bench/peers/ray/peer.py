"""Ray Serve: as many replicas as cores, each with a core of its own, behind Serve's own proxy."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.peers.environments import CORES, environment, variables
from bench.peers.parts import System, alone
from bench.peers.peer import Peer
from local_cloud.preflight import free_port


@contextmanager
def start(folder: Path, model: Path) -> Iterator[System]:
    """One process that starts Ray, without its reports of usage to its makers."""
    bin_folder, port = environment("ray"), free_port()
    settings = variables(bin_folder, model, folder) | {"RAY_USAGE_STATS_ENABLED": "0"}
    # The paths of Ray's sockets have a limit of 107 bytes.
    with TemporaryDirectory(prefix="ray-") as short:
        command = [str(bin_folder / "python"), "-m", "bench.peers.ray.server", str(port), str(CORES), short]
        with alone("ray", command, settings, folder, f"http://127.0.0.1:{port}/") as system:
            yield system


PEER = Peer(
    name="ray",
    way=f"Ray Serve, {CORES} replicas of one CPU",
    pages=(
        "docs.ray.io/en/latest/serve/tutorials/serve-ml-models.html",
        "docs.ray.io/en/latest/serve/production-guide/best-practices.html",
    ),
    repeats=True,
    start=start,
)
