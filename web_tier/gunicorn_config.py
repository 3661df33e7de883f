"""gunicorn's settings, from the web tier's own.

Each process makes its own application, with connections, credentials and store of its own; code is loaded, and clients
for AWS are made, once before the fork. So a reload gives new processes, and a restart a new release.
"""

import signal
from pathlib import Path
from types import FrameType
from typing import Any

from botocore.exceptions import BotoCoreError

from novaburst.settings import SettingsError, require_region
from web_tier import preload
from web_tier.access import watched
from web_tier.integrity import StoreError, examine
from web_tier.leaving import LEAVING
from web_tier.logs import LineFormatter
from web_tier.settings import WebSettings
from web_tier.site import KEEPALIVE_SECONDS

try:
    _settings = WebSettings.load()
    _settings.scaling()
    watched(_settings.token_file)
except SettingsError as error:
    raise SystemExit(f"the web tier does not start: {error}") from error

bind = _settings.bind
workers = _settings.web_workers
worker_class = "gthread"
threads = _settings.web_threads
# For gthread this is the main loop's heartbeat, not a request's time; above the longest wait whatever the class.
timeout = _settings.max_wait_seconds + 30
# Enough for an upload to end. Whoever then still waits for a result is cut off, and told by nginx to try again.
graceful_timeout = 10
# Browsers and the command line send file after file over one connection.
keepalive = KEEPALIVE_SECONDS
# The heartbeat file: in memory, where there is such a place, since a slow disk must not look like a hung worker.
# gunicorn makes it there by mkstemp and unlinks it at once, so that nobody can lay one in its place.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 # nosec B108
# Errors go to stderr; an access log of polls would only hide them, and nginx writes one.
accesslog = None
errorlog = "-"
control_socket_disable = True

_loaded: list[preload.Loaded] = []


def on_starting(server: Any) -> None:
    """In the master, before it listens."""
    for handler in server.log.error_log.handlers:
        handler.setFormatter(LineFormatter(server.log.error_fmt, server.log.datefmt))
    try:
        examine(_settings.store_path)
        require_region()
        _loaded.append(preload.load())
    except (StoreError, SettingsError, BotoCoreError) as error:
        raise SystemExit(f"the web tier does not start: {error}") from error


def post_fork(server: Any, worker: Any) -> None:
    """In a worker, before it makes its application."""
    preload.adopt(_loaded[0])


def post_worker_init(worker: Any) -> None:
    """Let a worker that a reload replaces stay until its waiting clients have their answers, without its streams.

    The time above is the master's: when it stops, it kills what is left after that.
    """
    worker.cfg.set("graceful_timeout", _settings.max_wait_seconds)

    def on_term(number: int, frame: FrameType | None) -> None:
        LEAVING.set()
        worker.handle_exit(number, frame)

    signal.signal(signal.SIGTERM, on_term)
