"""On the PYTHONPATH of a process under test, this makes of some files poison: images that harm whoever decodes them.

Such a file starts as a BMP does and then says what shall happen; see `POISON` in tests/poisoned.py.
"""

import os
import signal
import time

from PIL import BmpImagePlugin

_open = BmpImagePlugin.BmpImageFile._open


def _open_poison(self: BmpImagePlugin.BmpImageFile) -> None:
    head = self.fp.read(32)
    self.fp.seek(0)
    match head.partition(b"POISON ")[2].strip():
        case b"abort":
            os.abort()
        case b"segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case b"exit":
            os._exit(0)
        case b"hang":
            time.sleep(3600)
        case b"hunger":
            _hoard = [bytearray(1 << 24) for _ in range(1 << 12)]
        case b"killed from outside":
            os.kill(os.getpid(), signal.SIGKILL)
        case b"noise":
            print("a library talks to standard output")
    _open(self)


BmpImagePlugin.BmpImageFile._open = _open_poison
