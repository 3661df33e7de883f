"""`novaburst dlq`: look into the dead-letter queue, and get its letters out of it, by the operator's own AWS key."""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError
from rich.markup import escape

from novaburst.aws import s3_client, sqs_client
from novaburst.dead_letters import HIDE_SECONDS, DeadLetterQueue
from novaburst.letters import Facts, Letter, Step, What, plan_answer, plan_redrive, why
from novaburst.objects import Bucket
from novaburst.queues import Queue
from novaburst.settings import Settings, require_region
from novaburst.terminal import Console, Table

_SHOWN_CHARACTERS = 120

_at_most_option = click.option(
    "--at-most",
    default=1000,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="Letters to look at; the next call takes the rest.",
)
_dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


@click.group("dlq")
def dlq_command() -> None:
    """The dead-letter queue: requests that workers took too often and never answered.

    The web tier answers those that it can read, with an error, within two minutes. Stop its listener to keep them.
    """


@dlq_command.command("list")
@_at_most_option
@click.option("--json", "as_json", is_flag=True, help="Print the letters as JSON, with their bodies.")
def list_command(*, at_most: int, as_json: bool) -> None:
    """Show each letter, and leave it where it is."""
    with _opened() as letter_box, _held(letter_box, at_most) as letters:
        facts = letter_box.facts(letters)
        rows = [as_row(letter, known, time.time()) for letter, known in zip(letters, facts, strict=True)]
        hidden = letter_box.hidden_elsewhere(len(letters))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table("image", "batch", "readable", "received", "age", "why it is here")
    for row in rows:
        cells = (
            row["image"] or row["body"][:_SHOWN_CHARACTERS],
            row["batch"] or "",
            "yes" if row["readable"] else "no",
        )
        received = f"{row['received']} time{'s' * (row['received'] != 1)}"
        table.add_row(*map(escape, cells), received, _age(row["age_seconds"]), escape(row["why"]))
    console = Console()
    console.print(table if rows else "the dead-letter queue has nothing to show")
    _say_hidden(console, hidden)


@dlq_command.command("redrive")
@_at_most_option
@_dry_run_option
def redrive_command(*, at_most: int, dry_run: bool) -> None:
    """Send the letters back to the request queue, once what killed their workers is mended.

    What has its answer already is not classified again. Exit status 1 when letters are left.
    """
    _move(at_most, plan_redrive, dry_run=dry_run)


@dlq_command.command("answer")
@_at_most_option
@click.option("--detail", default="", help="What to tell the clients instead of the reason that is seen here.")
@_dry_run_option
def answer_command(*, at_most: int, detail: str, dry_run: bool) -> None:
    """Answer the letters' images with an error, so that nobody waits for them any longer.

    Exit status 1 when letters are left.
    """
    _move(at_most, lambda letter, facts: plan_answer(letter, facts, detail), dry_run=dry_run)


def as_row(letter: Letter, facts: Facts, now: float) -> dict[str, Any]:
    """What `list` says of a letter; `now` in seconds since the epoch."""
    received = letter.received
    return {
        "message": received.message_id,
        "image": letter.image,
        "batch": letter.request.batch if letter.request else None,
        "readable": letter.request is not None,
        "received": received.receive_count,
        "age_seconds": max(0, round(now - received.sent_ms / 1000)),
        "why": why(letter, facts),
        "body": received.body,
    }


def _move(at_most: int, plan: Callable[[Letter, Facts], Step], *, dry_run: bool) -> None:
    console = Console()
    with _opened() as letter_box, _held(letter_box, at_most) as letters:
        steps = [plan(letter, known) for letter, known in zip(letters, letter_box.facts(letters), strict=True)]
        hidden = letter_box.hidden_elsewhere(len(letters))
        console.print(_plan_table(steps))
        if dry_run:
            console.print("nothing was done")
            return
        done = letter_box.carry_out(steps)
        _forget(letters, done)
    counts = Counter(step.what for step in done)
    left = len(steps) - len(done)
    console.print(
        f"{counts[What.SEND_BACK]} sent back, {counts[What.ANSWER]} answered, "
        f"{counts[What.TELL]} told of the answer they have, {left} left"
    )
    _say_hidden(console, hidden)
    if left:
        sys.exit(1)


@contextmanager
def _opened() -> Iterator[DeadLetterQueue]:
    """The deployment's queue; what AWS refuses becomes a sentence."""
    settings = Settings.load()
    require_region()
    try:
        sqs, s3 = sqs_client(), s3_client()
        names = (settings.dead_letter_queue, settings.request_queue, settings.response_queue)
        queue, request_queue, response_queue = (Queue(sqs, name) for name in names)
        yield DeadLetterQueue(
            queue, request_queue, response_queue, Bucket(s3, settings.in_bucket), Bucket(s3, settings.out_bucket)
        )
    except (BotoCoreError, ClientError) as error:
        raise click.ClickException(
            f"{error} (prefix {settings.prefix}; what is not done yet is still in the dead-letter queue)"
        ) from error


@contextmanager
def _held(letter_box: DeadLetterQueue, at_most: int) -> Iterator[list[Letter]]:
    """Up to `at_most` letters, given back at the end; but for those that were taken from the list."""
    letters = letter_box.take(at_most)
    try:
        yield letters
    finally:
        letter_box.give_back(letters)


def _forget(letters: list[Letter], done: Sequence[Step]) -> None:
    gone = {step.letter.received.message_id for step in done}
    letters[:] = [letter for letter in letters if letter.received.message_id not in gone]


def _plan_table(steps: Sequence[Step]) -> Table:
    table = Table("image", "what", "why")
    for step in steps:
        letter = step.letter
        table.add_row(escape(letter.image or letter.received.body[:_SHOWN_CHARACTERS]), step.what, escape(step.why))
    return table


def _age(seconds: int) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _say_hidden(console: Console, hidden: int) -> None:
    if hidden:
        console.print(
            f"about {hidden} more are held by somebody else just now (the web tier, or a command that was killed): "
            f"look again in {HIDE_SECONDS // 60} minutes"
        )
