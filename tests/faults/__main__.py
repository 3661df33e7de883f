"""The long form, by hand or by `make faults`: `python -m tests.faults [--seeds 1-5] [--images 500] [--kills 20]`.

Each seed is a run of its own: the same faults befall the same calls, in the order in which they are made. A seed that
lost something is printed, and the program ends with status 1. With `--broken` the account is tried instead: on a sound
system under the worst strikes, and on systems that lose, repeat or mistake something, each of which it must notice.
"""

import sys
import tempfile
from pathlib import Path

import click

from tests.faults.broken.broken_variants import VARIANTS
from tests.faults.run import run
from tests.faults.trial import try_variant


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


@click.command(help=__doc__)
@click.option("--seeds", default="1-5", help="One, or the first and the last.")
@click.option("--images", default=500)
@click.option("--kills", default=20)
@click.option("--broken", is_flag=True, help="Try the account on broken systems, a minute or two each.")
def main(seeds: str, images: int, kills: int, broken: bool) -> None:
    """Run each seed, or each variant."""
    bad = _try_variants() if broken else _run_seeds(_seeds(seeds), images, kills)
    if bad:
        click.echo(f"{'misjudged' if broken else 'seeds that lost something'}: {bad}")
        sys.exit(1)


def _try_variants() -> list[str]:
    bad = []
    for name in VARIANTS:
        folder = Path(tempfile.mkdtemp(prefix="novaburst-faults-broken-"))
        verdict = try_variant(name, folder)
        click.echo(f"{'right' if verdict.right else 'WRONG'}: {name}; logs in {folder}")
        for line in verdict.wrong or ["nothing to complain of"]:
            click.echo(f"  {line}")
        if not verdict.right:
            bad.append(name)
    return bad


def _run_seeds(seeds: list[int], images: int, kills: int) -> list[int]:
    bad = []
    for seed in seeds:
        folder = Path(tempfile.mkdtemp(prefix=f"novaburst-faults-{seed}-"))
        report = run(seed, images, kills, folder)
        click.echo(
            f"seed {seed}: {report.images} images in {report.tries} requests, {report.seconds:.0f} s, "
            f"{report.faults.total()} faults, {report.hits.total()} processes hit; logs in {folder}"
        )
        for counts in (report.faults, report.hits, report.refusals):
            for kind, count in sorted(counts.items()):
                click.echo(f"  {count:4} {kind}")
        for line in report.wrong:
            click.echo(f"  WRONG {line}")
        if report.wrong:
            bad.append(seed)
    return bad


if __name__ == "__main__":
    main()
