"""The embedded AWS as one process on loopback: the API, and everything that happens behind it.

`python -m local_cloud.server --port P --state DIR --model DIR [--boot-seconds S] [--start-seconds S] [--region R]`
"""

import logging
import shlex
import signal
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import click
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from local_cloud import mends
from local_cloud.alarms import MINUTE_SECONDS, Alarms
from local_cloud.backends import Backends
from local_cloud.event_sources import EventSources
from local_cloud.instance_host import InstanceHost
from local_cloud.lambda_host import LambdaHost
from local_cloud.log_metrics import LogMetrics
from local_cloud.machine import WORKER_COMMAND, Site
from local_cloud.mends.queues import ENDING
from local_cloud.processes import Spawner
from local_cloud.schedule import Schedule

log = logging.getLogger(__name__)

# Starting a stopped instance, whose volume is warm, takes about 5 s (depot.dev, "Making EC2 boot time 8x faster").
START_SECONDS = 5.0


class _RequestHandler(MotoRequestHandler):
    """Answers without a line of log each, and without waiting for the client's acknowledgement of the headers."""

    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Requests are not logged."""


@dataclass(frozen=True)
class Options:
    """How to run the embedded AWS; times in seconds."""

    port: int
    address: str | None
    state: Path
    model: Path
    boot_seconds: float
    start_seconds: float | None
    region: str
    worker_command: tuple[str, ...]
    minute_seconds: float


class _Actor(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


class Server:
    """The API and the actors behind it; `start`, then `stop`, both from one thread."""

    def __init__(self, options: Options) -> None:
        self.address = options.address or f"http://127.0.0.1:{options.port}"
        app = DomainDispatcherApplication(create_backend_app)
        self._http: BaseWSGIServer = make_server(
            "127.0.0.1", options.port, app, threaded=True, request_handler=_RequestHandler
        )
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._spawner = Spawner()
        self._lambda_host = LambdaHost(self._spawner, options.state / "lambda", self.address)
        mends.apply(self._lambda_host)
        backends = Backends(options.region)
        boot, start = options.boot_seconds, options.start_seconds
        if start is None:
            start = min(boot, START_SECONDS)
        site = Site(self._spawner, options.state / "instances", self.address, options.model, options.worker_command)
        self._actors: list[_Actor] = [
            Alarms(backends, options.minute_seconds),
            LogMetrics(backends, options.state, ("lambda/logs/*.log", "instances/*/worker.log")),
            Schedule(backends, self._lambda_host, options.minute_seconds),
            EventSources(backends, self._lambda_host),
            InstanceHost(backends, site, say, boot_seconds=boot, start_seconds=start),
        ]

    def start(self) -> None:
        """Answer requests and bring the actors to life."""
        self._thread.start()
        for actor in self._actors:
            actor.start()

    def stop(self) -> None:
        """End everything that was started, all at once; the API answers until the workers have ended."""
        ENDING.set()
        with ThreadPoolExecutor(len(self._actors), thread_name_prefix="stop") as together:
            for stopped in [together.submit(actor.stop) for actor in self._actors]:
                stopped.result()
        self._lambda_host.stop()
        self._http.shutdown()
        self._spawner.stop()


def say(line: str) -> None:
    """One line for whoever started this process."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), required=True)
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path, resolve_path=True),
    required=True,
    help="Logs, zips, instances.",
)
@click.option(
    "--model",
    type=click.Path(file_okay=False, path_type=Path, resolve_path=True),
    required=True,
    help="The AMI's model folder.",
)
@click.option(
    "--boot-seconds",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="How long a new instance is pending.",
)
@click.option(
    "--start-seconds",
    type=click.FloatRange(min=0),
    show_default=f"as --boot-seconds, at most {START_SECONDS:g}",
    help="How long a stopped instance is pending once it is started.",
)
@click.option(
    "--address", help="The URL by which its instances and functions reach it, if there is something before it."
)
@click.option("--region", default="us-east-1", show_default=True)
@click.option("--worker-command", default=shlex.join(WORKER_COMMAND), help="What an instance runs.")
@click.option(
    "--minute-seconds",
    type=click.FloatRange(min=0.1),
    default=MINUTE_SECONDS,
    show_default=True,
    help="How long a minute of metrics, alarm periods and schedules lasts.",
)
def main(worker_command: str, **options: Any) -> None:
    """Run the embedded AWS until SIGTERM or SIGINT."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    # One line a request is no news, nor is a warning of what moto leaves out.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    server = Server(Options(**options, worker_command=tuple(shlex.split(worker_command))))
    server.start()
    say(f"embedded aws: {server.address}")
    stopping.wait()
    server.stop()


if __name__ == "__main__":
    main()
