"""Whether this process has been told to end: what could go on for ever then ends, and its client comes again."""

import threading

LEAVING = threading.Event()
