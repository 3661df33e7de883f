"""`novaburst submit`: files and folders up, answers down."""

import csv
import json
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from novaburst.client import Answer, Client, ClientError
from novaburst.commands.options import url_option

# Uploads at once: enough to hide a round trip, few enough for a 512 MB web tier.
_UPLOADS = 8


@click.command("submit")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@url_option
@click.option("--json", "as_json", is_flag=True, help="Print the batch as JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the results as CSV.")
def submit_command(paths: tuple[Path, ...], url: str, as_json: bool, as_csv: bool) -> None:
    """Upload files, and all files below folders; exit status 1 if any got no label."""
    if as_json and as_csv:
        raise click.UsageError("choose one of --json and --csv")
    files = list(expand(paths))
    if not files:
        raise click.ClickException("there is no file in the given folders")
    try:
        with Client(url) as client:
            batch = client.open_batch()
            answers = _run(client, batch, files)
            page = client.page(batch)
    except ClientError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({"batch": batch, "page": page, "images": [answer.raw for answer in answers]}, indent=2))
    elif as_csv:
        _print_csv(answers)
    else:
        _print_table(answers, page)
    if any(answer.label is None for answer in answers):
        sys.exit(1)


def expand(paths: Sequence[Path]) -> Iterator[Path]:
    """The files among the paths and below the folders, hidden ones left out, in a steady order."""
    for path in paths:
        if path.is_dir():
            yield from sorted(
                file
                for file in path.rglob("*")
                if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
            )
        else:
            yield path


def _run(client: Client, batch: str, files: Sequence[Path]) -> list[Answer]:
    """Upload all files and wait for all answers, with a progress bar on standard error."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        sent = progress.add_task("uploaded", total=len(files))
        answered = progress.add_task("answered", total=len(files))
        unread: list[Answer] = []
        local = threading.local()

        def upload(path: Path) -> None:
            if not hasattr(local, "client"):
                local.client = Client(client.url)
            try:
                local.client.upload(batch, path)
            except OSError as error:
                unread.append(_unreadable(path, error))
                progress.advance(answered)
            progress.advance(sent)

        with ThreadPoolExecutor(_UPLOADS) as pool:
            for upload_done in [pool.submit(upload, path) for path in files]:
                upload_done.result()
        answers = []
        for answer in client.answers(batch):
            answers.append(answer)
            progress.advance(answered)
    return sorted([*answers, *unread], key=lambda answer: answer.name)


def _unreadable(path: Path, error: OSError) -> Answer:
    detail = f"{path}: {error.strerror}"
    raw = {"name": path.name, "state": "failed", "error": {"code": "unreadable_file", "detail": detail}}
    return Answer.of(raw)


def _print_csv(answers: Sequence[Answer]) -> None:
    rows = csv.writer(sys.stdout)
    rows.writerow(("name", "label", "score", "error", "detail"))
    for answer in answers:
        rows.writerow((answer.name, answer.label, answer.score, answer.error, answer.detail))


def _print_table(answers: Sequence[Answer], page: str) -> None:
    table = Table("image", "label", "score")
    for answer in answers:
        if answer.label is not None:
            table.add_row(escape(answer.name), escape(answer.label), f"{answer.score or 0:.1%}")
        else:
            table.add_row(escape(answer.name), f"[red]{answer.error}[/]: {escape(answer.detail or '')}", "")
    console = Console()
    console.print(table)
    failed = sum(answer.label is None for answer in answers)
    console.print(f"{len(answers) - failed} labels, {failed} without; [link={page}]{page}[/]", soft_wrap=True)
