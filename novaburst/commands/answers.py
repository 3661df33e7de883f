"""How the commands print answers: as CSV and JSON one after another, whatever their number; as a table, the first."""

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TextIO

import click
from rich.markup import escape
from rich.style import Style
from rich.text import Text

from novaburst.client import Answer
from novaburst.control_characters import visible
from novaburst.terminal import Console, Table

# More rows than this tell a person less than their summary.
_ROWS = 60
_LABELS = 5
# A spreadsheet takes a cell that starts like this for a formula; a quote in front makes it text (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

json_option = click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
csv_option = click.option("--csv", "as_csv", is_flag=True, help="Print the results as CSV.")


class Tally:
    """What of the answers that pass by a summary needs."""

    def __init__(self) -> None:
        self.labels: Counter[str] = Counter()
        self.labelled = 0
        self.failed = 0
        self.pending = 0

    def count(self, answers: Iterable[Answer]) -> Iterator[Answer]:
        """The same answers, counted."""
        for answer in answers:
            if answer.label is not None:
                self.labelled += 1
                self.labels[answer.label] += 1
            elif answer.state == "pending":
                self.pending += 1
            else:
                self.failed += 1
            yield answer


def print_csv(answers: Iterable[Answer], out: TextIO) -> None:
    """A row an answer, as it comes; to a terminal without what a terminal obeys, to a file as it is."""
    rows, shown = csv.writer(out), out.isatty()
    rows.writerow(("name", "label", "score", "error", "detail"))
    for answer in answers:
        cells = (answer.name, answer.label, answer.score, answer.error, answer.detail)
        rows.writerow(_cell(cell, shown) if isinstance(cell, str) else cell for cell in cells)
        # Whoever reads at the other end of a pipe has it now.
        out.flush()
    # Without an answer the heading is left: a disk that is full is to be found out here.
    out.flush()


def print_json(batch: str, page: str, answers: Iterable[Answer], out: TextIO) -> None:
    """One object whose `images` are the API's, an image a line, as they come."""
    out.write(f'{{"batch": {json.dumps(batch)}, "page": {json.dumps(page)}, "images": [')
    before = "\n"
    for answer in answers:
        out.write(before + json.dumps(answer.raw))
        out.flush()
        before = ",\n"
    out.write("\n]}\n")
    out.flush()


def print_table(answers: Iterable[Answer], tally: Tally, page: str) -> None:
    """The first answers, all in few words as the tally of the same answers has them, and where to find them."""
    table = Table("image", "label", "score")
    answers = iter(answers)
    first = list(islice(answers, _ROWS))
    for answer in sorted(first, key=lambda answer: answer.name):
        table.add_row(escape(answer.name), *_said(answer))
    for _ in answers:
        pass
    page = visible(page)
    console = Console()
    if first:
        console.print(table)
    left = tally.labelled + tally.failed + tally.pending - _ROWS
    if left > 0:
        most = ", ".join(f"{label} {number:,}" for label, number in tally.labels.most_common(_LABELS))
        console.print(f"and {left:,} more; the most frequent labels: {escape(most)}", soft_wrap=True)
    pending = f", {tally.pending:,} pending" if tally.pending else ""
    counts = f"{tally.labelled:,} labels, {tally.failed:,} without{pending}; "
    console.print(Text.assemble(counts, (page, Style(link=page))), soft_wrap=True)
    if left > 0:
        console.print(f"all of them: novaburst results {page} --csv", soft_wrap=True, highlight=False)


def print_answers(answers: Iterable[Answer], batch: str, page: str, *, as_json: bool, as_csv: bool) -> int:
    """Print in the form that was asked for; how many of the answers are no label."""
    tally = Tally()
    counted = tally.count(answers)
    if as_json:
        print_json(batch, page, counted, sys.stdout)
    elif as_csv:
        print_csv(counted, sys.stdout)
    else:
        print_table(counted, tally, page)
    return tally.failed


def one_form(as_json: bool, as_csv: bool) -> None:
    """Refuse two forms at once.

    Raises:
        click.UsageError: both were asked for.
    """
    if as_json and as_csv:
        raise click.UsageError("choose one of --json and --csv")


def _cell(text: str, shown: bool) -> str:
    text = visible(text) if shown else text
    return f"'{text}" if text.startswith(_FORMULA) else text


def _said(answer: Answer) -> tuple[str, str]:
    if answer.label is not None:
        return escape(answer.label), f"{answer.score or 0:.1%}"
    if answer.state == "pending":
        return "[dim]pending[/]", ""
    return f"[red]{escape(answer.error or '')}[/]: {escape(answer.detail or '')}", ""
