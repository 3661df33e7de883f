"""Reads the logs of functions and workers as they grow, and gives CloudWatch the metrics embedded in them."""

import logging
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from local_cloud.backends import Backends
from local_cloud.embedded_metrics import data_of

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.5


class LogMetrics:
    """Stands in for CloudWatch Logs and for the agent on the workers, as far as metrics go."""

    def __init__(self, backends: Backends, folder: Path, patterns: Iterable[str]) -> None:
        self._backends = backends
        self._folder = folder
        self._patterns = tuple(patterns)
        # How far each file has been read, in bytes.
        self._read: dict[Path, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-metrics")

    def start(self) -> None:
        """Begin with what is written from now on: an earlier run's metrics have been told."""
        for path in self._files():
            self._read[path] = path.stat().st_size
        self._thread.start()

    def stop(self) -> None:
        """End, at the latest after the look at hand."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(_POLL_SECONDS):
            try:
                self._look()
            except Exception:
                log.exception("metrics of the logs")

    def _look(self) -> None:
        for path in self._files():
            for line in self._new_lines(path):
                for datum in data_of(line):
                    self._backends.publish_metric(datum.metric, datum.at, datum.statistics, datum.unit)

    def _files(self) -> Iterator[Path]:
        for pattern in self._patterns:
            yield from self._folder.glob(pattern)

    def _new_lines(self, path: Path) -> Iterator[bytes]:
        with path.open("rb") as file:
            file.seek(self._read.get(path, 0))
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._read[path] = self._read.get(path, 0) + len(line)
                yield line
