"""What every peer's module says of itself."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bench.peers.parts import System

# Makes a system of a folder for its files and of a model folder; the block begins as soon as the processes are started.
Start = Callable[[Path, Path], AbstractContextManager[System]]


@dataclass(frozen=True)
class Peer:
    """One way to serve the model.

    `pages` are those of its documentation that say so; `repeats` is whether they have clients repeat a request that was
    accepted and not answered. `start_for_kills` starts the system that processes are killed of, where it is another.
    """

    name: str
    way: str
    pages: tuple[str, ...]
    repeats: bool
    start: Start
    start_for_kills: Start | None = None
