"""Celery with Redis as broker and result store: a pool of as many processes as cores, behind Flask and gunicorn."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.peers.environments import CORES, environment, executable, variables
from bench.peers.parts import System, starter
from bench.peers.peer import Peer
from local_cloud.preflight import free_port

# Requests that wait in the front end; more than the client has under way.
_THREADS = 128
_FRONT_END = (
    *("--worker-class", "gthread", "--threads", str(_THREADS), "--timeout", "65"),
    "bench.peers.celery.server:app",
)
_POOL = ("--app", "bench.peers.celery.tasks", "worker", "--concurrency", str(CORES), "--loglevel", "WARNING")


@contextmanager
def start(folder: Path, model: Path) -> Iterator[System]:
    """Redis, then the pool and its front end."""
    bin_folder, port, redis_port = environment("celery"), free_port(), free_port()
    redis = [executable("redis-server", "redis-server"), "--port", str(redis_port), "--bind", "127.0.0.1"]
    redis += ["--dir", str(folder), "--save", ""]
    settings = variables(bin_folder, model, folder) | {"PEERS_REDIS": f"redis://127.0.0.1:{redis_port}/0"}
    with starter(folder) as parts:
        began = time.perf_counter()
        parts.start("redis", redis, settings)
        parts.wait_for_port("redis", redis_port)
        parts.start("pool", [str(bin_folder / "celery"), *_POOL], settings)
        front_end = [str(bin_folder / "gunicorn"), "--bind", f"127.0.0.1:{port}", *_FRONT_END]
        parts.start("front end", front_end, settings)
        yield System(f"http://127.0.0.1:{port}/", parts.parts, began)


PEER = Peer(
    name="celery",
    way=f"Celery, Redis, prefork pool of {CORES}, late acknowledgement; Flask in front",
    pages=(
        "docs.celeryq.dev/en/stable/userguide/tasks.html",
        "docs.celeryq.dev/en/stable/userguide/optimizing.html",
        "flask.palletsprojects.com/en/stable/patterns/celery",
    ),
    repeats=False,
    start=start,
)
