"""The seed's table: 10, 50 and 100 requests at once from no worker, by the seed's rule and by ours.

The seed's rule is played by the model with the pace that fits what its README gives: an instance every 60 s, 60 s of
boot, 10 s an image. Ours is measured in the embedded AWS as `bench.fleet` does, with a boot of 25 s. Draws the chart in
docs/ when it ran in full.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.fleet import BOOT_SECONDS, SEED_MINUTES, WAYS, measured
from simulator.run import run
from simulator.scalers.ours import Lambda, limits
from simulator.workloads import burst
from simulator.world import World

SEED_WORLD = replace(World(), boot=(60.0, 60.0), worker_start=0.0, images_per_second=0.1)
CHART = Path(__file__).parents[1] / "docs" / "seed"


def seeds_seconds(uploads: int) -> float:
    """Seconds to the last answer by the seed's rule: its controller looks as the burst begins, and each minute."""
    scaler = Lambda.seeds(limits(idle=SEED_WORLD.idle), phase=1.0)
    return run(burst(uploads), scaler, SEED_WORLD, images_per_worker=1).finished


def draw(rows: Mapping[int, tuple[float, float, float]], path: Path) -> None:
    """Bars of what the seed gave, the model of it, and ours, in seconds by number of uploads; .svg and .png."""
    # Slow to import, and not needed for a table.
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    names = ("the seed, as published", "the seed's rule in the model", "Novaburst, measured")
    with rc_context({"svg.hashsalt": "novaburst"}):
        figure = Figure(figsize=(7.2, 3.4), layout="constrained")
        axes = figure.subplots()
        for place, (name, colour) in enumerate(zip(names, ("#b8bec8", "#7d8794", "#0b7285"), strict=True)):
            at = [group + (place - 1) * 0.27 for group in range(len(rows))]
            bars = axes.bar(at, [row[place] for row in rows.values()], 0.25, label=name, color=colour)
            axes.bar_label(bars, fmt="{:.0f} s", fontsize=8, padding=2)
        axes.set_xticks(range(len(rows)), [f"{uploads} uploads at once" for uploads in rows])
        axes.set_ylabel("seconds to the last answer")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8, frameon=False, loc="upper left")
        for suffix, about in ((".svg", {"Date": None}), (".png", {"Software": None})):
            figure.savefig(path.with_suffix(suffix), dpi=150, metadata=about)


def main(*, quick: bool) -> None:
    """Measure and print the table; the quick form leaves out the 50 uploads and the chart."""
    counts = [uploads for uploads in SEED_MINUTES if not (quick and uploads == 50)]
    ours = {int(row[1]): float(row[-2]) for row in measured(WAYS[:1], counts)}
    rows = {uploads: (60 * SEED_MINUTES[uploads], seeds_seconds(uploads), ours[uploads]) for uploads in counts}
    table = Table("uploads", "the seed, s", "the seed's rule, model, s", f"ours, boot {BOOT_SECONDS} s", "times faster")
    for uploads, (published, modelled, seen) in rows.items():
        table.add_row(
            *(f"{figure:.0f}" for figure in (uploads, published, modelled)),
            *(f"{seen:.1f}", f"{published / seen:.1f}"),
        )
    Console(width=120).print(table)
    if not quick:
        draw(rows, CHART)
