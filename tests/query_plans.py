"""Whether statements read whole tables that grow with the images: a store holds millions of rows."""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from web_tier.database import Database

_FULL_SCAN = re.compile(r"SCAN (images|batches|tallies|attempts|tickets)\b(?! USING)")
_PLANNED = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
_LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b")


@contextmanager
def watched() -> Iterator[list[str]]:
    """The statements that stores make in this block, but for those that bring a file up to date."""
    seen: list[str] = []
    reading = Database.reading

    @contextmanager
    def watched_reading(database: Database) -> Iterator[sqlite3.Connection]:
        with reading(database) as connection:
            connection.set_trace_callback(seen.append)
            try:
                yield connection
            finally:
                connection.set_trace_callback(None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "reading", watched_reading)
        yield seen


def full_scans(statements: Iterable[str]) -> set[str]:
    """Those of the statements that go through a whole table, each once, whatever values it was made with."""
    planned = {_LITERAL.sub("?", one): one for one in statements if _PLANNED.match(one)}
    return {shape for shape, one in planned.items() if _scans(shape, one)}


_KNOWN: dict[str, bool] = {}


def _scans(shape: str, statement: str) -> bool:
    if shape not in _KNOWN:
        plan = _schema().execute(f"EXPLAIN QUERY PLAN {statement}")
        _KNOWN[shape] = any(_FULL_SCAN.search(row[3]) for row in plan)
    return _KNOWN[shape]


@cache
def _schema() -> sqlite3.Connection:
    """An empty store in memory: without statistics SQLite plans by the schema alone."""
    copy = sqlite3.connect(":memory:", check_same_thread=False)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite3"
        Database(path).close()
        with closing(sqlite3.connect(path)) as made:
            made.backup(copy)
    return copy
