"""Flask and gunicorn: as many processes as cores, each with the model, each answering one request after another."""

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
    """gunicorn with its default class of worker."""
    bin_folder, port = environment("flask"), free_port()
    command = [str(bin_folder / "gunicorn"), "--workers", str(CORES), "--bind", f"127.0.0.1:{port}"]
    with starter(folder) as parts:
        began = time.perf_counter()
        parts.start("gunicorn", [*command, "bench.peers.flask.server:app"], variables(bin_folder, model, folder))
        yield System(f"http://127.0.0.1:{port}/", parts.parts, began)


PEER = Peer(
    name="flask",
    way=f"Flask, gunicorn with {CORES} sync workers",
    pages=("flask.palletsprojects.com/en/stable/deploying/gunicorn", "gunicorn.org/design"),
    repeats=False,
    start=start,
)
