"""Logs as one JSON object a line on standard error, where the journal and CloudWatch take them."""

import json
import logging
import sys
from datetime import UTC, datetime

# What every record has; all else was given by the caller as `extra` and goes into the line.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


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


def start_logging() -> JsonFormatter:
    """Send every record of level INFO and above to standard error; the instance is filled in once it is known."""
    formatter = JsonFormatter()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.captureWarnings(True)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    return formatter
