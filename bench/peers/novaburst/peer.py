"""Ours: the web tier as it ships, and as many workers of one thread as there are cores.

Its rate is measured before the light stand-in for AWS, which costs little and whose calls take as long as those of S3
and SQS; there one knows nothing of killed workers, so that processes are killed in the embedded AWS (`novaburst up`).
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.environment import aws_environment
from bench.peers.environments import CORES
from bench.peers.parts import Starter, System, starter
from bench.peers.peer import Peer
from bench.uploads_tier import unit_environment
from local_cloud.preflight import free_port
from novaburst.settings import Settings

LATENCY_MS = 30.0
_WAIT_SECONDS = 60
_BIN = Path(sys.executable).parent
_GUNICORN = (str(_BIN / "gunicorn"), "--config", "python:web_tier.gunicorn_config", "web_tier.app:create_app()")


@dataclass(frozen=True)
class Site:
    """A web tier at work: its address and that of its AWS, its parts, and when the first of its own began."""

    url: str
    aws: str
    parts: Starter
    began: float
    environment: Mapping[str, str]

    def start_workers(self) -> None:
        """One of one thread for each core."""
        for number in range(CORES):
            self.parts.start(f"worker {number + 1}", (sys.executable, "-m", "worker_ami.worker"), self.environment)


@contextmanager
def web_tier(folder: Path, model: Path, aws: str = "bench.peers.novaburst.aws") -> Iterator[Site]:
    """gunicorn and listener before a light stand-in for AWS, which is that module; workers may follow."""
    port, aws_port = free_port(), free_port()
    endpoint = f"http://127.0.0.1:{aws_port}"
    environment = aws_environment(
        endpoint,
        AWS_EC2_METADATA_SERVICE_ENDPOINT=endpoint,
        NOVABURST_PREFIX=Settings.model_fields["prefix"].default,
        NOVABURST_STATE_DIR=str(folder / "web"),
        NOVABURST_BIND=f"127.0.0.1:{port}",
        NOVABURST_MODEL_DIR=str(model),
        NOVABURST_THREADS="1",
    )
    with starter(folder) as parts:
        parts.start("AWS", (sys.executable, "-m", aws, str(aws_port), str(LATENCY_MS)), environment)
        parts.wait_for_port("AWS", aws_port)
        began = time.perf_counter()
        parts.start("web tier", _GUNICORN, environment | _unit("web", folder))
        parts.start("listener", (sys.executable, "-m", "web_tier.listener"), environment | _unit("listener", folder))
        yield Site(f"http://127.0.0.1:{port}", endpoint, parts, began, environment)


@contextmanager
def start(folder: Path, model: Path) -> Iterator[System]:
    """gunicorn, listener and workers before the light stand-in."""
    with web_tier(folder, model) as site:
        site.start_workers()
        yield System(_upload(site.url), site.parts.parts, site.began, aside=frozenset({"AWS"}))


@contextmanager
def start_for_kills(folder: Path, model: Path) -> Iterator[System]:
    """The whole local cloud, whose Lambda launches workers and whose web tier and listener are started again."""
    port = free_port()
    command = [str(_BIN / "novaburst"), "up", "--port", str(port), "--state", str(folder / "cloud")]
    with starter(folder) as parts:
        began = time.perf_counter()
        parts.start("novaburst up", [*command, "--max-workers", str(CORES)], os.environ)
        yield System(
            _upload(f"http://127.0.0.1:{port}"),
            parts.parts,
            began,
            kinds={"web tier": "gunicorn", "listener": "web_tier.listener"},
        )


def _unit(name: str, folder: Path) -> dict[str, str]:
    """What the systemd unit sets, but state below that folder and no credentials of a machine."""
    own = {"NOVABURST_STATE_DIR": str(folder / "web"), "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none")}
    return unit_environment(f"novaburst-{name}.service") | own


def _upload(url: str) -> str:
    return f"{url}/api/v1/upload?wait={_WAIT_SECONDS}"


PEER = Peer(
    name="novaburst",
    way=f"Novaburst: gunicorn, listener, {CORES} workers of one thread",
    pages=("docs/clients.md",),
    repeats=True,
    start=start,
    start_for_kills=start_for_kills,
)
