"""Files that harm whoever decodes them, in processes that have tests/poison on their PYTHONPATH."""

from pathlib import Path

FOLDER = Path(__file__).with_name("poison")


def poison(deed: str) -> bytes:
    """A file whose decoding does `deed`: abort, segfault, exit, hang, hunger, killed from outside, noise."""
    return b"BM" + b"POISON " + deed.encode()
