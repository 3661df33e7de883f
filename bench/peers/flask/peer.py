"""Flask and gunicorn: as many processes as cores, each with the model, each answering one request after another."""

from contextlib import AbstractContextManager
from pathlib import Path

from bench.peers.environments import CORES, environment, variables
from bench.peers.parts import System, alone
from bench.peers.peer import Peer
from local_cloud.preflight import free_port


def start(folder: Path, model: Path) -> AbstractContextManager[System]:
    """gunicorn with its default class of worker."""
    bin_folder, port = environment("flask"), free_port()
    command = [str(bin_folder / "gunicorn"), "--workers", str(CORES), "--bind", f"127.0.0.1:{port}"]
    command.append("bench.peers.flask.server:app")
    return alone("gunicorn", command, variables(bin_folder, model, folder), folder, f"http://127.0.0.1:{port}/")


PEER = Peer(
    name="flask",
    way=f"Flask, gunicorn with {CORES} sync workers",
    pages=("flask.palletsprojects.com/en/stable/deploying/gunicorn", "gunicorn.org/design"),
    repeats=False,
    start=start,
)
