"""Where the web tier's processes log to."""

import logging
import sys


def log_to_stderr() -> None:
    """One line a record on stderr, unless logging is set up already."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"
    )
    # It tells at INFO where it found each credential and endpoint.
    logging.getLogger("botocore").setLevel(logging.WARNING)
