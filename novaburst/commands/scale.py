"""`novaburst scale`: have the fleet evaluated now, through the web tier."""

import ipaddress
import json
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from rich.markup import escape

from novaburst.client import Client, ClientError
from novaburst.commands.options import text_of, url_option
from novaburst.commands.plans import plan_table
from novaburst.terminal import Console

# Where `novaburst up` leaves the token of the cloud that it runs.
LOCAL_TOKEN = Path(".novaburst") / "scale-token"
# The web tier speaks to programs, of a header.
_WAYS_IN = "\nGive it in NOVABURST_SCALE_TOKEN or by --token-file; `novaburst up` prints the command for its own cloud."
# What of an outcome are not ids of instances but words.
_IN_WORDS = {"short": "short capacity", "deferred": "left to another evaluation", "failures": "[red]failed[/]"}


@click.command("scale")
@click.option("--workers", default=0, type=click.IntRange(min=0), help="At least so many now; the maximum clamps it.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@url_option
@click.option(
    "--token",
    envvar="NOVABURST_SCALE_TOKEN",
    show_envvar=True,
    help="The token. Rather set the variable: other users of a machine can read its command lines.",
)
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"A file that holds the token. Default, for a web tier on this machine: {LOCAL_TOKEN}.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def scale_command(
    *, workers: int, dry_run: bool, url: str, token: str | None, token_file: Path | None, as_json: bool
) -> None:
    """Evaluate the fleet now, by the scaling Lambda or, when that fails, by the web tier itself.

    Workers that find nothing to do end themselves as ever. Exit status 1 when anything failed.
    """
    try:
        with Client(url) as client:
            report = client.scale(_token(token, token_file, url), workers=workers, dry_run=dry_run)
    except (ClientError, OSError) as error:
        refused = isinstance(error, ClientError) and error.status == HTTPStatus.UNAUTHORIZED
        raise click.ClickException(f"{error}{_WAYS_IN if refused else ''}") from error
    failures = report["outcome"]["failures"]
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        _print(report, dry_run=dry_run)
    if failures:
        sys.exit(1)


def _token(token: str | None, token_file: Path | None, url: str) -> str | None:
    if token_file is None and token is None and _is_local(url) and LOCAL_TOKEN.is_file():
        token_file = LOCAL_TOKEN
    return token if token_file is None else text_of(token_file, "token")


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _print(report: dict[str, Any], *, dry_run: bool) -> None:
    console = Console()
    console.print(plan_table(report["plan"]))
    if report["lambda_failure"]:
        console.print(f"[red]the Lambda failed:[/] {escape(report['lambda_failure'])}", soft_wrap=True)
    by = "the scaling Lambda" if report["via"] == "lambda" else "the web tier itself"
    if dry_run:
        console.print(f"planned by {by}; nothing was done")
        return
    outcome = report["outcome"]
    done = [f"{len(ids)} {name.replace('_', ' ')}" for name, ids in outcome.items() if ids and name not in _IN_WORDS]
    console.print(f"done by {by}: {', '.join(done) or 'nothing'}")
    for name, heading in _IN_WORDS.items():
        for text in outcome[name]:
            console.print(f"{heading}: {escape(text)}", soft_wrap=True)
