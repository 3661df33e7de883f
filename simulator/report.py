"""Outcomes and bills as tables, and outcomes as a plot."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich import box

from novaburst.terminal import Table
from simulator.bill import Bill
from simulator.run import Outcome

# A bound far below the cent still is a cost.
_DOLLARS = ".4f"


def tables(outcomes: Sequence[tuple[Outcome, float]]) -> Iterator[Table]:
    """A table for each workload: a line an outcome, with the least cost for which the same p95 could be had."""
    for workload in dict.fromkeys(outcome.workload for outcome, _ in outcomes):
        # Nine columns, close enough for a terminal of 80.
        shown = Table(title=workload, title_justify="left", box=box.SIMPLE_HEAD, padding=0)
        shown.add_column("scaling", no_wrap=True)
        for column in ("p50, s", "p95, s", "last, s", "cost, $", "least", "idle, h", "starts"):
            shown.add_column(column, justify="right")
        for one, least in outcomes:
            if one.workload == workload:
                shown.add_row(
                    one.scaler,
                    *(f"{seconds:,.{0 if seconds >= 1000 else 1}f}" for seconds in (one.p50, one.p95, one.worst)),
                    *(f"{dollars:{_DOLLARS}}" for dollars in (one.cost, least)),
                    f"{one.wasted_hours:.2f}",
                    str(one.launches),
                )
        yield shown


def bill_table(title: str, bill: Bill) -> Table:
    """A line an item, and the total."""
    shown = Table(title=title, title_justify="left", show_footer=True)
    shown.add_column("what", "total", no_wrap=True)
    shown.add_column("how much", justify="right")
    shown.add_column("US dollars", f"{bill.total:,{_DOLLARS}}", justify="right")
    for item in bill.items:
        amount = f"{item.amount:,.0f}" if item.amount >= 100 else f"{item.amount:.3g}"
        shown.add_row(item.name, f"{amount} {item.unit}", f"{item.dollars:,{_DOLLARS}}")
    return shown


def plot(outcomes: Sequence[Outcome], path: Path) -> None:
    """Cost against the time of the 95th percentile, a panel for each workload; the suffix chooses PNG or SVG.

    Raises:
        ValueError: the suffix is of no kind that can be drawn.
    """
    # Slow to import, and not needed for a table.
    from matplotlib.figure import Figure  # noqa: PLC0415

    workloads = list(dict.fromkeys(one.workload for one in outcomes))
    figure = Figure(figsize=(5.2 * len(workloads), 4.6), layout="constrained")
    panels = figure.subplots(1, len(workloads), squeeze=False)[0]
    for panel, workload in zip(panels, workloads, strict=True):
        for one in (one for one in outcomes if one.workload == workload):
            panel.scatter(one.p95, one.cost, s=60, label=one.scaler)
        panel.set(title=workload, xlabel="p95, seconds", xscale="log", yscale="log")
        panel.grid(visible=True, which="both", alpha=0.25)
    panels[0].set_ylabel("cost of EC2, US dollars")
    panels[-1].legend(fontsize=8, loc="best")
    figure.savefig(path)
