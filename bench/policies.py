"""Ways of scaling by the model: ours beside the others, and what other settings of ours would do.

For each workload the least cost is a bound for scalers that answer every image within the time in which the way
answered 95 %, and that know all but the arrivals to come (simulator.optimum). `of least` is the cost over it, and
`foreseen` the cost over the bound for those that know the future and launch ahead of it.
"""

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.console import Console
from rich.table import Table

from scaling_lambda.settings import IMAGES_PER_SECOND, TOLERABLE_WAIT_SECONDS
from simulator.optimum import least_cost
from simulator.run import Outcome, run
from simulator.scalers.base import Scaler
from simulator.scalers.catalogue import OURS, catalogue
from simulator.scalers.ours import Lambda, limits
from simulator.workloads import Workload, burst, bursts, diurnal, poisson
from simulator.world import World

MAXIMUM = 20
SHARE = round(TOLERABLE_WAIT_SECONDS * IMAGES_PER_SECOND)
WORLD = World()
# Below it two ways are called equal: chance alone moves a run by as much.
EQUAL = 0.03
GOAL = 1.10
WAITS = (5.0, 10.0, TOLERABLE_WAIT_SECONDS, 30.0, 50.0)
HEADS = ("p50, s", "p95, s", "last, s", "cost, $", "of least", "foreseen", "idle, h", "starts", "better in both")
IDLES = (10.0, 30.0, 45.0, 60.0, 120.0)


@dataclass(frozen=True)
class Judged:
    """An outcome, the least costs without and with launches ahead, and the ways that are better in both."""

    outcome: Outcome
    least: float
    foreseen: float
    better: Sequence[str] = ()

    @property
    def ratio(self) -> float:
        """Cost over the least."""
        return self.outcome.cost / self.least


def workloads(*, quick: bool) -> list[Workload]:
    """Of every pattern and size; the quick form leaves out the days."""
    random = np.random.default_rng(0)
    # A morning as a trace file would have it: some early, a first batch, people one by one, two batches more.
    morning = Workload(
        "a morning's trace",
        ((0.0, 3), (240.0, 2000), *((600.0 + 40 * n, 2) for n in range(30)), (2000.0, 60_000), (2900.0, 500)),
    )
    found = [
        *(burst(images) for images in (1, 100, 2_000, 10_000, 100_000, 1_000_000, 10_000_000)),
        bursts(5_000, 4, 600),
        *(poisson(rate, 3600, random) for rate in (0.02, 0.2, 2, 200)),
        morning,
    ]
    return found if quick else [*found, diurnal(2_000, random), diurnal(1_000_000, random), diurnal(10_000_000, random)]


def judged(workload: Workload, scalers: Sequence[Callable[[], Scaler]], world: World, share: int) -> list[Judged]:
    """Each way's run."""
    outcomes = [run(workload, scaler(), world, images_per_worker=share, maximum=MAXIMUM) for scaler in scalers]
    return [
        Judged(
            one,
            least_cost(workload, world, one.p95),
            least_cost(workload, world, one.p95, ahead=True),
            dominating(one, outcomes),
        )
        for one in outcomes
    ]


def dominating(one: Outcome, others: Sequence[Outcome]) -> list[str]:
    """The others that are better in both: answers 95 % sooner, and costs less, by more than chance."""

    def less(first: float, second: float) -> bool:
        return first < second * (1 - EQUAL)

    return [o.scaler for o in others if less(o.p95, one.p95) and less(o.cost, one.cost)]


def _compared(found: Mapping[str, Sequence[Judged]]) -> Iterator[Table]:
    for name, ways in found.items():
        table = Table(title=name, title_justify="left")
        table.add_column("way", no_wrap=True)
        for head in HEADS:
            table.add_column(head, justify="right")
        for way in ways:
            one = way.outcome
            table.add_row(
                one.scaler,
                *(f"{seconds:,.1f}" for seconds in (one.p50, one.p95, one.finished)),
                *(
                    f"{one.cost:.4f}",
                    f"{way.ratio:.2f}",
                    f"{one.cost / way.foreseen:.2f}",
                    f"{one.wasted_hours:.2f}",
                    str(one.launches),
                ),
                ", ".join(way.better),
            )
        yield table


def searched(chosen: Sequence[Workload], *, quick: bool) -> Table:
    """What other settings would do: means over the workloads (geometric), and the worst; quickly, one changed."""
    table = Table("wait, s", "idle, s", "p95, mean", "cost, mean", "of least, mean", "worst", "at most 1.10 of least")
    base: list[Outcome] = []
    default = (TOLERABLE_WAIT_SECONDS, WORLD.idle)
    pairs = [default, *((w, i) for w in WAITS for i in IDLES if not quick or w == default[0] or i == default[1])]
    for wait, idle in dict.fromkeys(pairs):
        world = replace(WORLD, idle=idle)
        way = (lambda idle=idle: Lambda(OURS, limits(idle=idle)),)
        seen = [judged(workload, way, world, round(wait * IMAGES_PER_SECOND))[0] for workload in chosen]
        base = base or [one.outcome for one in seen]
        p95 = _mean([one.outcome.p95 / old.p95 for one, old in zip(seen, base, strict=True)])
        cost = _mean([one.outcome.cost / old.cost for one, old in zip(seen, base, strict=True)])
        ratios = [one.ratio for one in seen]
        table.add_row(
            *(f"{wait:g}", f"{idle:g}", f"{p95:.2f}", f"{cost:.2f}", f"{_mean(ratios):.2f}", f"{max(ratios):.2f}"),
            f"{sum(ratio <= GOAL for ratio in ratios)} of {len(ratios)}",
        )
    return table


def explained(above: Sequence[tuple[Workload, Judged]]) -> Table:
    """What the workloads where ours is above the goal would cost those who do not have its two reasons.

    One is that nobody knows when the next image comes: beside ours stands the same rule whose workers leave as soon as
    their minute is over, as is best where pauses have no memory. The other is that instances are whole: in each minute
    as many as its images need, known before, which boot in no time.
    """
    table = Table("workload", "of least: ours", "leaving at once", "at a p95 of", "whole instances, foreseen")
    world = replace(WORLD, idle=1.0)
    way = (lambda: Lambda(OURS, limits(idle=world.idle)),)
    for workload, ours in above:
        at_once = judged(workload, way, world, SHARE)[0]
        table.add_row(
            *(workload.name, f"{ours.ratio:.2f}", f"{at_once.ratio:.2f}", f"{at_once.outcome.p95:.1f}"),
            f"{whole(workload) / ours.least:.2f}",
        )
    return table


def whole(workload: Workload) -> float:
    """US dollars for as many instances in each minute as its images keep busy, rounded up."""
    minutes = Counter[int]()
    for at, count in workload.cohorts:
        minutes[int(at // WORLD.least_billed)] += count
    busy = sum(math.ceil(WORLD.work(images) / WORLD.least_billed) for images in minutes.values())
    return busy * WORLD.cost(WORLD.least_billed)


def _mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def main(*, quick: bool) -> None:
    """Play and print."""
    chosen = workloads(quick=quick)
    found = {}
    for workload in chosen:
        sys.stderr.write(f"{workload.name}\n")
        found[workload.name] = judged(workload, catalogue(WORLD.idle, MAXIMUM), WORLD, SHARE)
    console = Console(width=150)
    console.print(*_compared(found))
    console.print("Settings of ours; p95 and cost relative to the defaults, which are the first line:")
    console.print(searched([workload for workload in chosen if workload.images <= 100_000], quick=quick))
    ours = {name: ways[0] for name, ways in found.items()}
    beaten = [f"{name}: {', '.join(one.better)}" for name, one in ours.items() if one.better]
    console.print(
        "Better than ours in both time and cost:", *(beaten or ["none, in none of the workloads"]), sep="\n- "
    )
    above = [(workload, ours[workload.name]) for workload in chosen if ours[workload.name].ratio > GOAL]
    console.print(f"Ours above {GOAL:.2f} of the least cost, and why:")
    console.print(explained(above))
