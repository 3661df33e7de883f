"""Display names: what the user called a file, safe to show, to store and to put into S3 metadata."""

import re
import unicodedata
from urllib.parse import quote

from novaburst.bounds import MAX_NAME_CHARS
from novaburst.contract import CUT_MARK

UNNAMED = "unnamed"
# S3 allows 2 KB of user metadata an object, keys included; the batch's id shares it.
_METADATA_BYTES = 1800
_DIRECTORIES = re.compile(r".*[/\\]", re.DOTALL)
# Controls, lone surrogates (not encodable), line and paragraph separators. Format characters stay: scripts and emoji
# need joiners; only those that turn the direction of what follows (a disguise for extensions) go.
_REMOVED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def display_name(given: str | None) -> str:
    """The name to show: directory parts (of either slash) and control characters removed, at most 255 characters.

    A longer name is cut and ends with the cut mark; a name of which nothing is left becomes "unnamed".
    """
    base = _DIRECTORIES.sub("", given or "")
    kept = "".join(c for c in base if unicodedata.category(c) not in _REMOVED_CATEGORIES and c not in _DIRECTION)
    name = kept.strip()
    if name in {"", ".", ".."}:
        return UNNAMED
    return name if len(name) <= MAX_NAME_CHARS else name[: MAX_NAME_CHARS - len(CUT_MARK)] + CUT_MARK


def metadata_value(name: str) -> str:
    """The name percent-encoded as ASCII for S3 metadata, cut at a character's end to what S3 allows."""
    if len(encoded := quote(name, safe="")) <= _METADATA_BYTES:
        return encoded
    mark = quote(CUT_MARK)
    room = _METADATA_BYTES - len(mark)
    kept: list[str] = []
    for character in name:
        piece = quote(character, safe="")
        room -= len(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept) + mark


def stem(name: str) -> str:
    """The name up to its first dot, as the course's clients count it."""
    return name.split(".", 1)[0]
