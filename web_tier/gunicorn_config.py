"""gunicorn's settings, from the web tier's own. Each process makes its own application: nothing is preloaded."""

from pathlib import Path

from novaburst.settings import SettingsError
from web_tier.settings import WebSettings

try:
    _settings = WebSettings.load()
    _settings.scaling()
except SettingsError as error:
    raise SystemExit(f"the web tier does not start: {error}") from error

bind = _settings.bind
workers = _settings.web_workers
worker_class = "gthread"
threads = _settings.web_threads
# For gthread this is the main loop's heartbeat, not a request's time; above the longest wait whatever the class.
timeout = _settings.max_wait_seconds + 30
# Enough for an upload to end. Who waits for a result is cut off: the course's clients try again on a lost connection.
graceful_timeout = 10
# Browsers and the command line send file after file over one connection.
keepalive = 15
# The heartbeat file: in memory, where there is such a place, since a slow disk must not look like a hung worker.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a tmpfs on Linux
# Errors go to stderr; an access log of polls would only hide them, and nginx writes one.
accesslog = None
errorlog = "-"
control_socket_disable = True
