"""`novaburst status`: queues, fleet and recent results at a glance."""

import json

import click
from rich.markup import escape

from novaburst.client import ClientError
from novaburst.commands.options import url_option
from novaburst.commands.waiting import patient_client
from novaburst.terminal import Console, Table, say_aside


@click.command("status")
@url_option
@click.option("--json", "as_json", is_flag=True, help="Print the state as JSON.")
def status_command(url: str, as_json: bool) -> None:
    """Show the queues, the fleet and the latest results."""
    try:
        with patient_client(url, say_aside) as client:
            state = client.status()
    except ClientError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(state, indent=2))
        return
    console = Console()
    if state["queues"] is None:
        console.print(f"[red]{escape(state.get('reason', 'the queues cannot be reached'))}[/]")
    else:
        console.print(_queues(state["queues"]))
    console.print(_fleet(state["fleet"]))
    counts = state["images"]
    console.print(
        f"images: {counts['total']} in all, {counts['done']} with a label, {counts['failed']} without, "
        f"{counts['pending']} pending"
    )
    console.print(_recent(state["recent"]))


def _queues(queues: dict[str, dict[str, int]]) -> Table:
    table = Table("queue", "visible", "in flight", "delayed", "backlog")
    for name, depth in queues.items():
        figures = (depth["visible"], depth["in_flight"], depth["delayed"])
        table.add_row(name, *map(str, figures), str(sum(figures)))
    return table


def _fleet(fleet: dict[str, int] | None) -> str:
    if fleet is None:
        return "fleet: cannot be described"
    return "fleet: " + (", ".join(f"{count} {state}" for state, count in fleet.items()) or "no instance")


def _recent(images: list[dict[str, object]]) -> Table:
    table = Table("recent image", "state", "label or error", "answered")
    for image in images:
        error = image["error"]
        said = image["label"] or (error["code"] if isinstance(error, dict) else "")
        table.add_row(*(escape(str(cell or "")) for cell in (image["name"], image["state"], said, image["answered"])))
    return table
