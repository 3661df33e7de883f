"""How a scaling plan looks in a terminal."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.markup import escape

from novaburst.terminal import Table


def plan_table(plan: Mapping[str, Any]) -> Table:
    """The plan as the API and `novaburst plan --json` give it, a line for each thing to do, with its reason."""
    table = Table("what", "how many", "why")
    table.add_row("have", str(plan["have"]), "booting or running")
    table.add_row("want", str(plan["want"]), escape(plan["reason"]))
    table.add_row("launch", str(plan["launch"]), f"to have {plan['want']}" if plan["launch"] else "no more are needed")
    # What is done to single instances: terminate, mark and so on.
    for name, actions in plan.items():
        if isinstance(actions, list | tuple):
            for reason, ids in _by_reason(actions).items():
                table.add_row(name, str(len(ids)), escape(f"{', '.join(ids)}: {reason}"))
    cost = plan["cost_per_hour"]
    table.add_row("cost", _price(cost["active"], cost), f"an hour now; after this, {_price(cost['planned'], cost)}")
    return table


def _by_reason(actions: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for action in actions:
        reasons.setdefault(action["reason"], []).append(action["instance"])
    return reasons


def _price(amount: float | None, cost: Mapping[str, Any]) -> str:
    return "unknown" if amount is None else f"{amount:.2f} {cost['currency']}"
