"""LitServe: as many workers as cores, started again when one dies."""

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
    """One process that starts all others."""
    bin_folder, port = environment("litserve"), free_port()
    command = [str(bin_folder / "python"), "-m", "bench.peers.litserve.server", str(port), str(CORES)]
    with starter(folder) as parts:
        began = time.perf_counter()
        parts.start("litserve", command, variables(bin_folder, model, folder))
        yield System(f"http://127.0.0.1:{port}/", parts.parts, began)


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
