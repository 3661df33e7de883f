"""What the commands print: whole, and so that strangers' words (names, labels) move no cursor and forge no line."""

import os
from collections.abc import Iterable
from typing import Any

import click
from rich import console, table
from rich.segment import Segment

from novaburst.control_characters import visible

# Where nobody's screen is, a table is as wide as what is in it: no file and no pipe has a margin.
_ENOUGH_COLUMNS = 1000


class Table(table.Table):
    """rich's table; a cell that is too long for its column goes on below, where rich would cut it."""

    def add_column(self, *args: Any, **options: Any) -> None:
        """As rich's."""
        super().add_column(*args, **{"overflow": "fold", **options})


class Console(console.Console):
    """rich's console; control characters within what it shows are shown as their escapes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if not self.is_terminal and "COLUMNS" not in os.environ and options.get("width") is None:
            self.width = _ENOUGH_COLUMNS

    def render(
        self, renderable: console.RenderableType, options: console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of a renderable, which alone carry text to the terminal."""
        for segment in super().render(renderable, options):
            # A control segment is rich's own, and a newline ends a line of the layout.
            yield segment if segment.control else segment._replace(text=visible(segment.text, keep="\n"))


def say(text: str, *, err: bool = False) -> None:
    """One line of words, on standard error if `err`."""
    click.echo(visible(text), err=err)


def say_aside(text: str) -> None:
    """One line of words that are no part of what a command prints, on standard error."""
    say(text, err=True)
