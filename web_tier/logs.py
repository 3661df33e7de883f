"""Where the web tier's processes log to."""

import logging
import sys
import textwrap
from types import TracebackType

from novaburst.control_characters import visible

_FORMAT = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class LineFormatter(logging.Formatter):
    """A record begins a line and is the only thing that does: a path or a name with a newline cannot forge another.

    Control characters are written as their escapes, and a traceback's lines are indented.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The record's own line."""
        return visible(super().formatMessage(record))

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - logging's name
        """The traceback, which ends with the words of an error."""
        return _below(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - logging's name
        """Where the record was made."""
        return _below(super().formatStack(stack_info))


def log_to_stderr() -> None:
    """One line a record on stderr, unless logging is set up already."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # It tells at INFO where it found each credential and endpoint.
    logging.getLogger("botocore").setLevel(logging.WARNING)


def _below(text: str) -> str:
    return textwrap.indent(visible(text, keep="\n"), "  ", lambda _: True)
