"""`novaburst submit`: files and folders up, answers down."""

import hashlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import FrameType

import click

from novaburst.client import Answer, Client, ClientError, Journal, JournalError, Submission, Taken
from novaburst.client.files import expand, missing
from novaburst.commands.answers import csv_option, json_option, one_form, print_answers
from novaburst.commands.options import url_option
from novaburst.commands.progress import Meter

# How long a web tier may be away in the middle of a submission, in seconds: longer than its restart or a VM's reboot.
_PATIENCE_SECONDS = 300
_INTERRUPTED = 130


class UnfinishedError(click.ClickException):
    """The web tier did not answer, or refused, before the submission was over."""

    exit_code = 3


@click.command("submit")
@click.argument("paths", nargs=-1, required=True)
@url_option
@click.option("--no-wait", is_flag=True, help="End when all is uploaded; the answers come later.")
@click.option("--new", is_flag=True, help="Start a new batch, even if an earlier run of the same was not finished.")
@json_option
@csv_option
def submit_command(*, paths: tuple[str, ...], url: str, no_wait: bool, new: bool, as_json: bool, as_csv: bool) -> None:
    """Upload files, folders and patterns such as 'photos/**/*.jpg', and print what is on them.

    After Ctrl-C or a crash the same command goes on where it was, and uploads nothing twice.

    Exit status: 0 every image has a label; 1 some have none; 2 wrong usage; 3 the web tier did not answer or refused;
    130 interrupted.
    """
    one_form(as_json, as_csv)
    if unknown := missing(paths):
        raise click.UsageError(f"there is no {', '.join(map(repr, unknown))}")
    try:
        with ExitStack() as stack:
            stack.callback(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, _on_interrupt))
            journal = stack.enter_context(Journal(journal_path(url, paths)))
            client = stack.enter_context(Client(url, patience_seconds=_PATIENCE_SECONDS))
            with Meter() as meter:
                submission = _upload(client, journal, paths, meter, new=new)
                if not no_wait:
                    _wait(client, submission.batch, meter)
            if no_wait:
                failed = submission.failed
                click.echo(f"{submission.taken:,} files uploaded, {failed:,} not: {submission.page}")
                click.echo(f"the answers: novaburst results {submission.batch} --follow")
            else:
                answers = _answers(client, journal, submission.batch)
                failed = print_answers(answers, submission.batch, submission.page, as_json=as_json, as_csv=as_csv)
            journal.delete()
    except JournalError as error:
        raise click.ClickException(str(error)) from error
    except ClientError as error:
        raise UnfinishedError(f"{error}; what was uploaded is kept: the same command goes on") from error
    except KeyboardInterrupt:
        click.echo("interrupted: the same command goes on where it was", err=True)
        sys.exit(_INTERRUPTED)
    if failed:
        sys.exit(1)


def journal_path(url: str, paths: Sequence[str]) -> Path:
    """Where the journal of this submission lies: the same web tier and the same paths are the same submission."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    meant = "\0".join([url.rstrip("/"), *sorted(str(Path(path).absolute()) for path in paths)])
    name = hashlib.sha256(meant.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return Path(state) / "novaburst" / "submissions" / f"{name}.sqlite3"


def _upload(client: Client, journal: Journal, paths: Sequence[str], meter: Meter, *, new: bool) -> Submission:
    total = sum(1 for _ in expand(paths))
    if not total:
        raise click.ClickException("there is no file in what was given")
    kept = None if new else client.continued(journal)
    before = journal.settled() if kept else 0
    if kept:
        meter.say(f"batch {kept.id} goes on: {before:,} of {total:,} files are there already (--new starts another)")
    uploaded = meter.add("uploaded", total, before)

    def on_file(_: Taken) -> None:
        meter.move(uploaded, by=1)

    return client.submit(paths, batch=kept.id if kept else client.open_batch(), journal=journal, on_file=on_file)


def _wait(client: Client, batch: str, meter: Meter) -> None:
    first = client.batch(batch)
    answered = meter.add("answered", first.total, first.answered)
    client.wait(batch, on_look=lambda now: meter.move(answered, to=now.answered))


def _answers(client: Client, journal: Journal, batch: str) -> Iterator[Answer]:
    """The answers by the names that the files have here, then the files that never got there."""
    for answer in client.results(batch):
        # What could not be stored at first was sent again, as another image.
        if answer.id is not None and (path := journal.path_of(answer.id)) is not None:
            yield replace(answer, name=_here(path), raw={**answer.raw, "path": str(path)})
    for entry in journal.unsent():
        name = _here(entry.path)
        error = {"code": entry.code, "detail": f"{name}: {entry.detail}"}
        yield Answer.of({"name": entry.path.name, "path": str(entry.path), "state": "failed", "error": error})


def _here(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _on_interrupt(number: int, frame: FrameType | None) -> None:
    # The requests under way end first; a second Ctrl-C does not wait for them, and the journal loses nothing by it.
    signal.signal(number, signal.SIG_DFL)
    raise KeyboardInterrupt
