"""What the commands print: strangers' words (names, labels, errors) cannot move a terminal's cursor or forge a line."""

from collections.abc import Iterable

import click
from rich import console
from rich.segment import Segment

from novaburst.control_characters import visible


class Console(console.Console):
    """rich's console; control characters within what it shows are shown as their escapes."""

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
