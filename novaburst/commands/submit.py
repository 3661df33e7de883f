"""`novaburst submit`: files and folders up, or objects of the bucket by reference; answers down."""

import hashlib
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import FrameType

import click

from novaburst.client import Answer, Client, ClientError, Journal, JournalError, Submission, Taken
from novaburst.client.files import as_text
from novaburst.client.paths import expand, objections
from novaburst.commands.answers import csv_option, json_option, one_form, print_answers
from novaburst.commands.options import url_option
from novaburst.commands.progress import Meter
from novaburst.commands.waiting import patient_client, wait_for_answers
from novaburst.terminal import say

# How long a web tier may be away in the middle of a submission, in seconds: longer than its restart or a VM's reboot.
_PATIENCE_SECONDS = 300
_INTERRUPTED = 130
_LATER = "the answers: novaburst results {} --follow"
_S3_PREFIX = re.compile(r"s3://([^/]+)/(.+)")


class UnfinishedError(click.ClickException):
    """The web tier did not answer, or refused, before the submission was over."""

    exit_code = 3


@click.command("submit")
@click.argument("paths", nargs=-1)
@url_option
@click.option(
    "--by-reference",
    "reference",
    metavar="s3://BUCKET/PREFIX",
    help="Instead of files: all objects under a prefix of the deployment's in-bucket.",
)
@click.option("--no-wait", is_flag=True, help="End when all is uploaded; the answers come later.")
@click.option("--new", is_flag=True, help="Start a new batch, even if an earlier run of the same was not finished.")
@json_option
@csv_option
def submit_command(
    *,
    paths: tuple[str, ...],
    url: str,
    reference: str | None,
    no_wait: bool,
    new: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Upload files, folders and patterns such as 'photos/**/*.jpg', and print what is on them.

    After Ctrl-C or a crash the same command goes on where it was, and uploads nothing twice. What lies in the bucket
    already needs no upload: --by-reference s3://BUCKET/PREFIX.

    Exit status: 0 every image has a label; 1 some have none; 2 wrong usage; 3 the web tier did not answer or refused;
    130 interrupted.
    """
    one_form(as_json, as_csv)
    if bool(paths) == bool(reference):
        raise click.UsageError("give either PATHS or --by-reference")
    if reference is not None:
        _refer(url, reference, no_wait=no_wait, as_json=as_json, as_csv=as_csv)
        return
    if objected := objections(paths):
        raise click.UsageError("; ".join(objected))
    try:
        with ExitStack() as stack:
            stack.callback(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, _on_interrupt))
            total = sum(1 for _ in expand(paths))
            if not total:
                raise click.ClickException("there is no file in what was given")
            journal = stack.enter_context(Journal(journal_path(url, paths)))
            meter = Meter()
            client = stack.enter_context(patient_client(url, meter.say, _PATIENCE_SECONDS))
            with meter:
                submission = _upload(client, journal, paths, total, meter, new=new)
                if not no_wait:
                    wait_for_answers(client, submission.batch, meter)
            if no_wait:
                failed = submission.failed
                say(f"{submission.taken:,} files uploaded, {failed:,} not: {submission.page}")
                say(_LATER.format(submission.page))
            else:
                answers = _answers(client, journal, submission.batch)
                failed = print_answers(answers, submission.batch, submission.page, as_json=as_json, as_csv=as_csv)
            journal.delete()
    except JournalError as error:
        raise click.ClickException(str(error)) from error
    except ClientError as error:
        raise UnfinishedError(f"{error}; what was uploaded is kept: the same command goes on") from error
    except KeyboardInterrupt:
        say("interrupted: the same command goes on where it was", err=True)
        sys.exit(_INTERRUPTED)
    if failed:
        sys.exit(1)


def journal_path(url: str, paths: Sequence[str]) -> Path:
    """Where the journal of this submission lies: the same web tier and the same paths are the same submission."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    meant = "\0".join([url.rstrip("/"), *sorted(str(Path(path).absolute()) for path in paths)])
    name = hashlib.sha256(meant.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return Path(state) / "novaburst" / "submissions" / f"{name}.sqlite3"


def _upload(
    client: Client, journal: Journal, paths: Sequence[str], total: int, meter: Meter, *, new: bool
) -> Submission:
    begun = journal.batch
    kept = None if new else client.continued(journal)
    before = journal.settled() if kept else 0
    if kept is None:
        if begun and not new:
            meter.say(f"batch {begun} is gone, so all files go into a new one")
        journal.begin(client.open_batch())
    else:
        meter.say(f"batch {kept.id} goes on: {before:,} of {total:,} files are there already (--new starts another)")
    uploaded = meter.add("uploaded", total, before)

    def on_file(_: Taken) -> None:
        meter.move(uploaded, by=1)

    def on_anew(batch: str) -> None:
        meter.say(f"the batch was deleted meanwhile, so all files go into a new one, {batch}")
        meter.move(uploaded, to=0)

    return client.submit(paths, journal=journal, on_file=on_file, on_anew=on_anew)


def _refer(url: str, reference: str, *, no_wait: bool, as_json: bool, as_csv: bool) -> None:
    """Classify what lies under a prefix: no journal, since there is nothing to upload."""
    meant = _S3_PREFIX.fullmatch(reference)
    if meant is None:
        raise click.UsageError(f"{reference!r} is not of the form s3://BUCKET/PREFIX")
    try:
        meter = Meter()
        with patient_client(url, meter.say, _PATIENCE_SECONDS) as client:
            batch = client.by_reference(bucket=meant[1], prefix=meant[2])
            if no_wait:
                say(f"queued in the background: {batch.page}")
                say(_LATER.format(batch.page))
                return
            with meter:
                meter.say(
                    f"batch {batch.id}; should this end before its answers, novaburst results {batch.page} has them"
                )
                wait_for_answers(client, batch.id, meter)
            failed = print_answers(client.results(batch.id), batch.id, batch.page, as_json=as_json, as_csv=as_csv)
    except ClientError as error:
        raise UnfinishedError(str(error)) from error
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    if failed:
        sys.exit(1)


def _answers(client: Client, journal: Journal, batch: str) -> Iterator[Answer]:
    """The answers by the names that the files have here, then the files that never got there."""
    for answer in client.results(batch):
        # What could not be stored at first was sent again, as another image.
        if answer.id is not None and (path := journal.path_of(answer.id)) is not None:
            yield replace(answer, name=_here(path), raw={**answer.raw, "path": as_text(str(path))})
    for entry in journal.unsent():
        name = _here(entry.path)
        error = {"code": entry.code, "detail": f"{name}: {entry.detail}"}
        names = {"name": as_text(entry.path.name), "path": as_text(str(entry.path))}
        yield Answer.of({**names, "state": "failed", "error": error})


def _here(path: Path) -> str:
    here = Path.cwd()
    return as_text(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _on_interrupt(number: int, frame: FrameType | None) -> None:
    # The requests under way end first; a second Ctrl-C does not wait for them, and the journal loses nothing by it.
    signal.signal(number, signal.SIG_DFL)
    raise KeyboardInterrupt
