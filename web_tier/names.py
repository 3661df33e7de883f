"""Display names: what the user called a file, safe to show, to store and to put into S3 metadata."""

from urllib.parse import quote

from novaburst.bounds import MAX_NAME_CHARS
from novaburst.contract import CUT_MARK
from novaburst.control_characters import CONTROLS

UNNAMED = "unnamed"
# S3 allows 2 KB of user metadata an object, keys included; the batch's id shares it.
_METADATA_BYTES = 1800


def display_name(given: str | None) -> str:
    """The name to show: directory parts (of either slash) and control characters removed, at most 255 characters.

    A longer name is cut and ends with the cut mark; a name of which nothing is left becomes "unnamed".
    """
    text = given or ""
    base = text[max(text.rfind("/"), text.rfind("\\")) + 1 :]
    name = CONTROLS.sub("", base).strip()
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
