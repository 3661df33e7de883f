"""`python -m bench peers [--quick] [NAME ...]`: the same model, photos and client for each peer, one after another."""

import importlib
import logging
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Table

from bench.peers.clients import Photo
from bench.peers.environments import CORES, PeerMissingError
from bench.peers.measure import KIND, QUICK, Seen, Size, measure
from bench.peers.model import PhotoModel
from bench.peers.parts import PROJECT
from bench.peers.peer import Peer
from bench.peers.report import Grid, Missing, figures, parts, section, wins
from bench.results import machine, write
from bench.worker_photos import photos

log = logging.getLogger(__name__)

NAMES = ("novaburst", "flask", "celery", "litserve", "bentoml", "ray")
_MODEL = PROJECT / ".novaburst" / "models" / "efficientnet_lite0"
# What a cell of the table holds of an error; all of it is logged.
_WHY_CHARS = 200


def measure_all(names: Sequence[str], *, quick: bool) -> None:
    """Measure these and print the tables; the full measurement of all is written into `bench/RESULTS.md`."""
    # Before this command itself makes it busy.
    here = machine()
    subprocess.run([sys.executable, "-m", "worker_ami.bake", "--out", str(_MODEL)], cwd=PROJECT, check=True)
    model = PhotoModel(_MODEL)
    content = [Photo(data, model.classify(data)) for data in photos(KIND)]
    results = [_measured(name, content, quick=quick) for name in names]
    console = Console(width=200)
    for grid in (figures(results, CORES), parts(results)):
        console.print(_table(grid))
    for line in wins(results, CORES):
        console.print(f"a peer is better: {line}")
    if not quick and tuple(names) == NAMES:
        write(section(results, CORES, here, "python -m bench peers"))


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES), metavar="[NAME]...")
@click.option("--quick", is_flag=True, help="Fewer photos and two kills each; nothing is written.")
def command(names: tuple[str, ...], *, quick: bool) -> None:
    """Measure the named peers, or all of them, on this machine."""
    measure_all(names or NAMES, quick=quick)


def _measured(name: str, content: Sequence[Photo], *, quick: bool) -> Seen | Missing:
    peer: Peer = importlib.import_module(f"bench.peers.{name}.peer").PEER
    sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {peer.way}\n")
    try:
        return measure(peer, content, _MODEL, QUICK if quick else Size())
    except (PeerMissingError, RuntimeError) as error:
        log.error("%s: %s", name, error)  # noqa: TRY400
        return Missing(peer, _in_short(error))
    # The others are measured all the same, and the table says why this one is not.
    except Exception as error:
        log.exception("%s", name)
        return Missing(peer, _in_short(error))


def _in_short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:_WHY_CHARS]}"


def _table(grid: Grid) -> Table:
    table = Table(*grid.heads)
    for row in grid.rows:
        table.add_row(*row)
    return table
