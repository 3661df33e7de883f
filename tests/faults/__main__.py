"""The long form, by hand or by `make faults`: `python -m tests.faults [--seeds 1-5] [--images 500] [--kills 20]`.

Each seed is a run of its own: the same faults befall the same calls, in the order in which they are made. A seed that
lost something is printed, and the program ends with status 1.
"""

import sys
import tempfile
from pathlib import Path

import click

from tests.faults.run import run


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


@click.command(help=__doc__)
@click.option("--seeds", default="1-5", help="One, or the first and the last.")
@click.option("--images", default=500)
@click.option("--kills", default=20)
def main(seeds: str, images: int, kills: int) -> None:
    """Run each seed."""
    bad = []
    for seed in _seeds(seeds):
        folder = Path(tempfile.mkdtemp(prefix=f"novaburst-faults-{seed}-"))
        report = run(seed, images, kills, folder)
        click.echo(
            f"seed {seed}: {report.images} images in {report.tries} requests, {report.seconds:.0f} s, "
            f"{report.faults.total()} faults, {report.hits.total()} processes hit; logs in {folder}"
        )
        for kind, count in (*sorted(report.faults.items()), *sorted(report.hits.items())):
            click.echo(f"  {count:4} {kind}")
        for line in report.wrong:
            click.echo(f"  WRONG {line}")
        if report.wrong:
            bad.append(seed)
    if bad:
        click.echo(f"seeds that lost something: {bad}")
        sys.exit(1)


if __name__ == "__main__":
    main()
