"""The web tier as its machine runs it (nginx, gunicorn, one listener) before the light stand-in for AWS."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import requests

from bench.environment import aws_environment
from local_cloud.preflight import free_port
from novaburst.settings import Settings
from tests.e2e.cloud import until
from tests.e2e.nginx import before

PROJECT = Path(__file__).resolve().parents[1]
_BIN = Path(sys.executable).parent
_UNITS = PROJECT / "web_tier" / "systemd"
_GUNICORN = (str(_BIN / "gunicorn"), "--config", "python:web_tier.gunicorn_config", "web_tier.app:create_app()")
_LISTENER = (sys.executable, "-m", "web_tier.listener")


@dataclass(frozen=True)
class Cores:
    """Where what is measured runs, and where the clients and the stand-in for AWS do."""

    measured: int = 1
    others: int = 0


@dataclass(frozen=True)
class Tier:
    """A web tier at work: nginx's address, and the processes that began with its parts by name."""

    url: str
    parts: Mapping[str, psutil.Process]

    def processes(self, part: str) -> list[psutil.Process]:
        """The process that a part began with, and all below it."""
        first = self.parts[part]
        return [first, *first.children(recursive=True)]


@contextmanager
def child(command: Sequence[str], core: int, environment: Mapping[str, str], log: Path) -> Iterator[psutil.Process]:
    """A process on that core until the end of the block."""
    with (
        log.open("ab") as output,
        subprocess.Popen(
            ["taskset", "-c", str(core), *command], cwd=PROJECT, env=dict(environment), stdout=output, stderr=output
        ) as process,
    ):
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


@contextmanager
def light_aws(core: int, latency_ms: float) -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """The stand-in for AWS: its process, and the environment of whoever shall reach it."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    environment = aws_environment(endpoint, NOVABURST_PREFIX=Settings.model_fields["prefix"].default)
    command = (sys.executable, "-m", "bench.uploads_aws", str(port), str(latency_ms))
    with TemporaryDirectory() as folder, child(command, core, environment, Path(folder) / "aws.log") as process:
        until(lambda: answers(endpoint), 30)
        yield process, environment


@contextmanager
def web_tier(core: int, environment: Mapping[str, str]) -> Iterator[Tier]:
    """nginx, gunicorn and a listener on that core, with their state in a folder of their own, once they are ready."""
    with TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        log = folder / "log"
        environment = {
            **environment,
            "NOVABURST_STATE_DIR": str(folder / "web"),
            "NOVABURST_BIND": f"127.0.0.1:{port}",
        }
        with (
            child(_GUNICORN, core, unit_environment("novaburst-web.service") | environment, log) as gunicorn,
            child(_LISTENER, core, unit_environment("novaburst-listener.service") | environment, log) as listener,
            before(environment, folder / "nginx") as nginx,
        ):
            tier = Tier(nginx.url, {"nginx": psutil.Process(nginx.process.pid), "web": gunicorn, "listener": listener})
            for process in tier.processes("nginx"):
                process.cpu_affinity([core])
            until(lambda: answers(f"{nginx.url}/healthz"), 60, log.read_text)
            yield tier


def unit_environment(unit: str) -> dict[str, str]:
    """The variables that a systemd unit sets."""
    return dict(re.findall(r"^Environment=(\w+)=(.*)$", (_UNITS / unit).read_text(), re.MULTILINE))


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """The CPU time that these have used until now, in seconds."""
    times = [process.cpu_times() for process in processes]
    return sum(float(one.user + one.system) for one in times)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code < 500
    except requests.RequestException:
        return False
