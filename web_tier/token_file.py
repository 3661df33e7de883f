"""The file of tokens: written in one step by `novaburst token`, read again by the web tier whenever it has changed."""

import fcntl
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from web_tier.tokens import Tokens

# It holds hashes, which open nothing; but who can write it opens everything, and names are nobody else's.
_NOT_FOR_OTHERS = stat.S_IWGRP | stat.S_IRWXO
_MAX_BYTES = 4 * 1024 * 1024


class TokenFileError(Exception):
    """The file of tokens cannot be used; the text names it, and says what to do."""


def read(path: Path) -> Tokens:
    """The tokens in a file.

    Raises:
        TokenFileError: there is none, others may read or write it, or it is no file of tokens.
    """
    with _opened(path) as file:
        return _parsed(path, file)


def change(path: Path, edit: Callable[[Tokens], Tokens]) -> None:
    """Replace the file's tokens, or make the file; at no moment is there half of it, and of two changes none is lost.

    It is readable by its owner alone, who stays the same; a new file belongs to its folder's owner when root makes it.

    Raises:
        TokenFileError: as `read`, but that there may be none yet; or it cannot be written.
    """
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise TokenFileError(f"{path.parent}: {error.strerror}: make this folder, and call as its owner") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        _replace(path, edit(read(path) if path.exists() else Tokens()))
    except OSError as error:
        raise TokenFileError(f"{path}: {error.strerror}: call this as the owner of {path.parent}") from error
    finally:
        os.close(folder)


def prepare(path: Path, owner: tuple[int, int]) -> None:
    """Make a file of no tokens where there is none, and its folder; nobody is let in until there is a first token.

    What is made belongs to `owner`, a user's and a group's number.

    Raises:
        TokenFileError: as `change`; OSError: the folder or its owner cannot be set.
    """
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700)
        os.chown(path.parent, *owner)
    if not path.exists():
        change(path, lambda none: none)
        os.chown(path, *owner)


class WatchedTokens:
    """The tokens as the file has them now. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, ...] = ()
        self._tokens = Tokens()

    def __call__(self) -> Tokens:
        """The tokens; looked at costs a `stat`, read again only what has changed.

        Raises:
            TokenFileError: as `read`; nobody is let in by what the file said before.
        """
        with self._lock:
            try:
                now = _state(self._path.stat())
            except OSError:
                now = ()
            if now != self._seen or not now:
                with _opened(self._path) as file:
                    self._seen = ()
                    self._tokens = _parsed(self._path, file)
                    # Of what was read: a file that replaced it meanwhile is seen at the next call.
                    self._seen = _state(os.fstat(file.fileno()))
            return self._tokens


def _state(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise TokenFileError(f"{path}: there is no such file: `novaburst token new` makes it") from error
    except OSError as error:
        raise TokenFileError(f"{path}: {error.strerror}: let the web tier's user own it") from error
    with file:
        yield file


def _parsed(path: Path, file: IO[bytes]) -> Tokens:
    if os.fstat(file.fileno()).st_mode & _NOT_FOR_OTHERS:
        raise TokenFileError(f"{path}: others may read or change it: `chmod 600 {path}`")
    try:
        return Tokens.model_validate_json(file.read(_MAX_BYTES))
    except ValidationError as error:
        # The library's own text quotes what it read.
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors()[:3])
        raise TokenFileError(f"{path}: {faults}: mend it, or make it anew with `novaburst token`") from None


def _replace(path: Path, tokens: Tokens) -> None:
    owner = (path if path.exists() else path.parent).stat()
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        if os.geteuid() == 0:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        file.write(tokens.model_dump_json(indent=1) + "\n")
        file.flush()
        os.fsync(descriptor)
    new.replace(path)
