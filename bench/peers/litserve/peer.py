"""LitServe: as many workers as cores, started again when one dies."""

from contextlib import AbstractContextManager
from pathlib import Path

from bench.peers.environments import CORES, environment, variables
from bench.peers.parts import System, alone
from bench.peers.peer import Peer
from local_cloud.preflight import free_port


def start(folder: Path, model: Path) -> AbstractContextManager[System]:
    """One process that starts all others."""
    bin_folder, port = environment("litserve"), free_port()
    command = [str(bin_folder / "python"), "-m", "bench.peers.litserve.server", str(port), str(CORES)]
    return alone("litserve", command, variables(bin_folder, model, folder), folder, f"http://127.0.0.1:{port}/")


PEER = Peer(
    name="litserve",
    way=f"LitServe, workers_per_device={CORES}, restart_workers",
    pages=(
        "lightning.ai/docs/litserve/api-reference/litserver",
        "lightning.ai/docs/litserve/features/autoscaling",
    ),
    repeats=False,
    start=start,
)
