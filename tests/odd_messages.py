"""What a message of a queue may hold: any text that SQS takes, any JSON, and messages of ours with one thing odd."""

import json
from typing import Any

from hypothesis import strategies as st
from pydantic import BaseModel

from novaburst.bounds import MAX_MESSAGE_BYTES

# SQS takes tab, line feed, carriage return and all else that XML can hold.
_TAKEN = st.characters(codec="utf-8", exclude_characters="\ufffe\uffff").filter(
    lambda character: character in "\t\n\r" or ord(character) >= 0x20
)
# JSON as no JSON library writes it, or reads it back: numbers beyond all bounds, halves of characters, deep nests.
_RAW = st.sampled_from(
    ["NaN", "-Infinity", "1e999", "1" * 500, '"\\ud800"', '"\\u0000"', "[" * 500, '{"v":1,"v":2}', "\ufeff{}", "{} {}"]
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _fits(body: str) -> bool:
    return 0 < len(body.encode()) <= MAX_MESSAGE_BYTES


BODIES = (st.text(_TAKEN, min_size=1, max_size=200) | JSON.map(json.dumps) | _RAW).filter(_fits)


def near(message: BaseModel) -> st.SearchStrategy[str]:
    """The JSON of a message with one field another, given in raw JSON as well, or left out."""
    fields = {name: json.dumps(value) for name, value in message.model_dump(mode="json").items()}
    others = JSON.map(json.dumps) | _RAW

    def change(name: str, other: str, drop: bool) -> str:
        changed = {key: text for key, text in (fields | {name: other}).items() if not (drop and key == name)}
        return "{" + ", ".join(f'"{key}": {text}' for key, text in changed.items()) + "}"

    return st.builds(change, st.sampled_from(sorted(fields)), others, st.booleans()).filter(_fits)
