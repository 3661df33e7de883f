"""glibc's memory (mallopt(3), malloc_trim(3)) as a worker wants it: few arenas, and nothing kept of what loading took.

Where there is another libc, both do nothing.
"""

import contextlib
import ctypes

_M_ARENA_MAX = -8


def bound_arenas(threads: int) -> None:
    """Share arenas among threads from now on: those that compute have one each, all others one together.

    By default there are eight a core, and each keeps what a thread that waits for the network once needed.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, threads + 1)


def trim() -> None:
    """Give the machine what is free: after a model is loaded, that is more than a copy of it."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
