"""A file as it was found, and the bodies of requests that carry files."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

# The journal's integers have 64 bits: 2262 is the last year that can be told from later ones.
_LATEST = 2**63 - 1


@dataclass(frozen=True)
class File:
    """A file as it was when it was found: another size or time of change makes it another file. Bytes; nanoseconds."""

    path: Path
    size: int
    changed: int

    @classmethod
    def at(cls, path: Path) -> Self:
        """The file that lies there now.

        Raises:
            OSError: there is none that can be looked at, or what lies there is none.
        """
        seen = path.stat()
        if stat.S_ISDIR(seen.st_mode):
            # Paths have a folder among the files where it cannot be listed; this says why.
            with os.scandir(path):
                pass
        if not stat.S_ISREG(seen.st_mode):
            raise OSError(None, "it is no file", str(path))
        return cls(path, seen.st_size, min(seen.st_mtime_ns, _LATEST))

    @property
    def name(self) -> str:
        """Its name as text, whatever bytes the file system has for it."""
        return as_text(self.path.name)

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            OSError: it cannot be read, or has changed its size since it was found.
        """
        content = self.path.read_bytes()
        if len(content) != self.size:
            raise _changed(self.path)
        return content


class Several:
    """Small files as one form. They are in memory: the caller bounds their bytes."""

    def __init__(self, contents: Iterable[tuple[str, bytes]]) -> None:
        self._files = [("file", content) for content in contents]

    def arguments(self) -> dict[str, Any]:
        """As `requests` takes a form."""
        return {"files": self._files}


class Single:
    """A large file as the body itself, read while it is sent."""

    def __init__(self, file: File, stream: IO[bytes]) -> None:
        self._file = file
        self._stream = stream

    def arguments(self) -> dict[str, Any]:
        """From its start, as `requests` takes a stream.

        Raises:
            OSError: the file has changed its size since it was found.
        """
        if os.fstat(self._stream.fileno()).st_size != self._file.size:
            raise _changed(self._file.path)
        self._stream.seek(0)
        return {
            "data": _Window(self._stream, self._file.size),
            "headers": {"Content-Type": "application/octet-stream"},
        }


class _Window:
    """The first `size` bytes of a stream: one that grows meanwhile must not run into the next request."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream = stream
        self._size = self._left = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(64 * 1024):
            yield chunk

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; none at the end."""
        chunk = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(chunk)
        return chunk


def as_text(name: str) -> str:
    """A name or path as every program can take it: what is no text in it becomes U+FFFD."""
    return os.fsencode(name).decode("utf-8", "replace")


def _changed(path: Path) -> OSError:
    return OSError(None, "it changes while it is read", str(path))
