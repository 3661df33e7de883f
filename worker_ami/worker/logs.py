"""Logs as one JSON object a line: on standard error for the journal, and in a file for the CloudWatch agent.

The agent reads files as they are; what it takes from the journal is wrapped, and metrics in such lines stay unseen.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

# What every record has; all else was given by the caller as `extra` and goes into the line.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_FILE = "worker.log"
_FILE_BYTES = 50_000_000


class JsonFormatter(logging.Formatter):
    """One line a record: time (UTC), level, logger, message, the instance, the `extra` fields, a traceback if any."""

    def __init__(self, instance: str = "") -> None:
        super().__init__()
        self.instance = instance

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON, ASCII-escaped."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "instance": self.instance,
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def start_logging(folder: Path | None = None) -> JsonFormatter:
    """Send every record of level INFO and above to standard error, and to a file in `folder` if it is given.

    The instance is filled in once it is known.
    """
    formatter = JsonFormatter()
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if folder is not None:
        handlers.append(RotatingFileHandler(folder / _FILE, maxBytes=_FILE_BYTES, backupCount=1))
    for handler in handlers:
        handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=handlers)
    logging.captureWarnings(True)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    return formatter
