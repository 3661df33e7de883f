"""The files that a person means by paths, folders and patterns, found one after another as they are needed."""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

_WILD = frozenset("*?[")
_ANY_FOLDERS = "**"
# All below a folder.
_WHOLE = (_ANY_FOLDERS, "*")
_NOWHERE = (FileNotFoundError, NotADirectoryError)

# How far a folder has come in a pattern: the places of those of its parts that its names may match.
_Places = frozenset[int]


def objections(paths: Iterable[str]) -> list[str]:
    """What is wrong, in words, with each of the paths that is not there, cannot be looked at or is no pattern."""
    return [said for path in paths if (said := _objection(path)) is not None]


def expand(paths: Iterable[str]) -> Iterator[Path]:
    """The files that the paths, folders and patterns (`**` crosses folders) name, each folder's in order.

    Hidden files and folders below a folder are left out. Links are followed, but for those that lead back to a folder
    that they lie in. What cannot be looked at comes as well, be it a broken link or a folder that cannot be listed:
    `File.at` says what is wrong with it. No more is in memory than the names of the folders that are open. A file that
    is named twice comes twice.

    Raises:
        ValueError: a pattern has `**` as a part of a name.
    """
    for path in paths:
        if _is_pattern(path):
            yield from _walk(*_split(path), hidden=True)
        elif stat.S_ISDIR(_mode(Path(path)) or 0):
            yield from _walk(Path(path), _WHOLE, hidden=False)
        else:
            yield Path(path)


def _objection(path: str) -> str | None:
    if _is_pattern(path):
        try:
            _split(path)
        except ValueError as error:
            return str(error)
        return None
    try:
        # A broken link is there; it is told with the files that cannot be read.
        Path(path).lstat()
    except _NOWHERE:
        return f"there is no {path!r}"
    except OSError as error:
        return f"{path!r} cannot be looked at: {error.strerror}"
    return None


def _is_pattern(path: str) -> bool:
    return not _WILD.isdisjoint(path) and not os.path.lexists(path)


def _mode(path: Path) -> int | None:
    """What lies there, as `st_mode` has it: a link only if it is broken, 0 for nothing, None for what is not shown."""
    try:
        return path.stat().st_mode
    except OSError as error:
        if isinstance(error, _NOWHERE) or error.errno == errno.ELOOP:
            return stat.S_IFLNK if os.path.lexists(path) else 0
        return None


def _split(pattern: str) -> tuple[Path, tuple[str, ...]]:
    """The folder before the first part of a pattern that is one, and the parts from there on."""
    parts = Path(pattern).parts
    if any(_ANY_FOLDERS in part and part != _ANY_FOLDERS for part in parts):
        raise ValueError(f"{pattern!r} is no pattern: ** stands for folders, alone between slashes, as in '**/*.jpg'")
    first = next(place for place, part in enumerate(parts) if not _WILD.isdisjoint(part))
    # `**` at the end means the files as well.
    return Path(*parts[:first]), parts[first:] + (("*",) if parts[-1] == _ANY_FOLDERS else ())


def _walk(top: Path, parts: tuple[str, ...], *, hidden: bool) -> Iterator[Path]:
    """Each file below a folder that the parts of a pattern name, once, and what cannot be looked at on the way."""
    # With each folder those that `**` crossed to come there: one of them again would never end.
    waiting: list[tuple[Path, _Places, frozenset[tuple[int, int]]]] = [(top, _from({0}, parts), frozenset())]
    while waiting:
        folder, places, crossed = waiting.pop()
        try:
            if any(parts[place] == _ANY_FOLDERS for place in places):
                seen = folder.stat()
                if (seen.st_dev, seen.st_ino) in crossed:
                    continue
                crossed |= {(seen.st_dev, seen.st_ino)}
            names = _names(folder, [parts[place] for place in places])
        except _NOWHERE:
            continue
        except OSError:
            yield folder
            continue
        within = []
        for name in names:
            onward = _onward(name, places, parts)
            if not onward or (name.startswith(".") and not hidden):
                continue
            found, named = folder / name, len(parts) in onward
            mode = _mode(found)
            if mode is None or (named and (stat.S_ISREG(mode) or stat.S_ISLNK(mode))):
                yield found
            elif not stat.S_ISDIR(mode):
                continue
            elif _ANY_FOLDERS in parts:
                # What `**` finds below a folder comes by itself; a folder that a plain pattern names is meant whole.
                within.append((found, onward - {len(parts)}, crossed))
            elif named:
                yield from _walk(found, _WHOLE, hidden=False)
            else:
                within.append((found, onward, crossed))
        waiting.extend(reversed(within))


def _names(folder: Path, parts: list[str]) -> list[str]:
    """The names in a folder that may match one of the parts, in order; it is not listed for those that are no pattern.

    Raises:
        OSError: it cannot be listed.
    """
    if all(_WILD.isdisjoint(part) for part in parts):
        return sorted(parts)
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)


def _from(places: Iterable[int], parts: tuple[str, ...]) -> _Places:
    """The places, and those behind a `**` among them, which may stand for no folder at all."""
    reached = set()
    for first in places:
        place = first
        while place < len(parts) and parts[place] == _ANY_FOLDERS:
            reached.add(place)
            place += 1
        reached.add(place)
    return frozenset(reached)


def _onward(name: str, places: _Places, parts: tuple[str, ...]) -> _Places:
    """The places behind a name; the number of the parts among them says that it matches the whole pattern."""
    crossed = {place for place in places if parts[place] == _ANY_FOLDERS}
    return _from({*crossed, *(place + 1 for place in places - crossed if fnmatchcase(name, parts[place]))}, parts)
