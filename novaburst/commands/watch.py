"""`novaburst watch`: the system, or one batch, as it moves."""

import sys
import time
from collections.abc import Iterator
from datetime import datetime

import click
from rich.live import Live

from novaburst.client import Client, ClientError
from novaburst.commands.options import batch_argument, url_option
from novaburst.commands.view import Snapshot, Trend, as_line, as_panel
from novaburst.terminal import Console, say

_TERMINAL_SECONDS = 1.0
_LINE_SECONDS = 10.0


@click.command("watch")
@batch_argument(required=False)
@url_option
@click.option("--every", type=click.FloatRange(min=0.2), help="Seconds between two looks; 1, or 10 without a terminal.")
def watch_command(*, batch: str | None, url: str, every: float | None) -> None:
    """Watch images, backlog and fleet: a live view on a terminal, a line now and then elsewhere.

    With a BATCH (its id, or the address of its page) it ends with the batch's last answer; else with Ctrl-C.
    """
    console = Console()
    every = every or (_TERMINAL_SECONDS if console.is_terminal else _LINE_SECONDS)
    try:
        # Ready to end at any time, so a web tier that is away is no reason to hold the view still for long.
        with Client(url, patience_seconds=every) as client:
            shown = _looks(client, batch, every)
            if console.is_terminal:
                with Live(console=console, auto_refresh=False) as live:
                    for snapshot, trend in shown:
                        live.update(as_panel(snapshot, trend), refresh=True)
            else:
                for snapshot, trend in shown:
                    say(f"{datetime.now():%H:%M:%S} {as_line(snapshot, trend)}")
                    sys.stdout.flush()
    except ClientError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        return


def _looks(client: Client, batch: str | None, every: float) -> Iterator[tuple[Snapshot, Trend]]:
    """What there is to see, again and again; the first failure ends it, later ones are shown and outlived."""
    trend = Trend()
    snapshot = _look(client, batch)
    while True:
        trend.add(time.monotonic(), snapshot.answered)
        yield snapshot, trend
        if batch is not None and not snapshot.pending and snapshot.total:
            return
        time.sleep(every)
        try:
            snapshot = _look(client, batch)
        except ClientError as error:
            if error.status == 404:
                raise
            snapshot = snapshot.without_answer(str(error))


def _look(client: Client, batch: str | None) -> Snapshot:
    counts = client.batch(batch) if batch is not None else None
    return Snapshot.of(client.status(), counts)
