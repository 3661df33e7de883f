"""glibc's memory (mallopt(3), malloc_trim(3)) as a worker wants it: few arenas, and nothing kept of what loading took.

Where there is another libc, none of these does anything.
"""

import contextlib
import ctypes

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
# The largest that a thread's arena serves itself, half of its heap (malloc/arena.c).
_LARGEST = 32 * 1024 * 1024
# More than any forward pass takes and gives back.
_PLENTY = 512 * 1024 * 1024


def bound_arenas(threads: int) -> None:
    """Share arenas among threads from now on: those that compute have one each, all others one together.

    By default there are eight a core, and each keeps what a thread that waits for the network once needed.
    """
    _call("mallopt", _M_ARENA_MAX, threads + 1)


def trim() -> None:
    """Give the machine what is free: after a model is loaded, that is more than a copy of it."""
    _call("malloc_trim", 0)


def keep_what_is_freed() -> None:
    """From now on keep what threads free, for their next image.

    An engine that allocates for each operation else gets its pages from the kernel anew for each image, all of them to
    be cleared first: a fifth of its time.
    """
    _call("mallopt", _M_MMAP_THRESHOLD, _LARGEST)
    _call("mallopt", _M_TRIM_THRESHOLD, _PLENTY)


def _call(function: str, *arguments: int) -> None:
    with contextlib.suppress(AttributeError):
        getattr(ctypes.CDLL(None), function)(*arguments)
