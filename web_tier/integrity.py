"""Whether the store's file can be worked with: asked before a start, so that a damaged one is named with its remedy."""

import sqlite3
from contextlib import closing
from pathlib import Path

_BUSY_SECONDS = 30
_DAMAGES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
MEND = (
    "end the web tier and its listener, call `novaburst rebuild`, which makes it anew from the buckets, and start them"
    " again (docs/runbook.md, The store)"
)


class StoreError(RuntimeError):
    """The store cannot be used as it is; the text says what is wrong and what to do."""


class StoreDamagedError(StoreError):
    """Its content is damaged."""


def examine(path: Path) -> None:
    """Read the whole file and check its structure, a second or so for a million images; no file is fine.

    Raises:
        StoreDamagedError: it is no SQLite database, or a damaged one.
        StoreError: it cannot be opened or read.
    """
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
            faults = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    except sqlite3.Error as error:
        if is_damage(error):
            raise StoreDamagedError(f"the store {path} is damaged: {error}: {MEND}") from error
        words = f"the store {path} cannot be opened: {error}: see the disk, and who owns the file and its folder"
        raise StoreError(words) from error
    if faults != ["ok"]:
        raise StoreDamagedError(f"the store {path} is damaged: {' '.join(faults[0].split())}: {MEND}")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether it is the file's content that is at fault, which no waiting mends."""
    # The lowest byte is the kind, the others say more; an error of Python's module alone has none.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGES


def set_aside(path: Path, stamp: str) -> Path:
    """Move the file away, to a name that ends with `stamp`, and what belongs to it before it: a log that was left
    behind would be played into the next file.
    """
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in ("-wal", "-shm", ""):
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.rename(f"{aside}{suffix}")
    return aside
