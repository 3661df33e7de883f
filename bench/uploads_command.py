"""The command line of the benchmarks of uploads."""

from typing import Protocol

import click

from bench.uploads_tier import Cores


class Run(Protocol):
    """A measurement that prints what it saw."""

    def __call__(self, cores: Cores, *, quick: bool) -> None:
        """Measure on these cores."""
        ...


def command(run: Run, what: str) -> click.Command:
    """The command that does `what`, with its options."""

    @click.command(help=what)
    @click.option("--quick", is_flag=True, help="A shorter look.")
    @click.option("--measured", default=Cores.measured, show_default=True, help="The core of what is measured.")
    @click.option(
        "--others", default=Cores.others, show_default=True, help="The core of the clients and of the stand-in for AWS."
    )
    def made(*, quick: bool, measured: int, others: int) -> None:
        run(Cores(measured, others), quick=quick)

    return made
