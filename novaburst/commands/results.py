"""`novaburst results`: the answers of a batch, now or as they come."""

import sys

import click

from novaburst.client import ClientError
from novaburst.commands.answers import csv_option, json_option, one_form, print_answers
from novaburst.commands.options import batch_argument, url_option
from novaburst.commands.progress import Meter
from novaburst.commands.waiting import patient_client, wait_for_answers
from novaburst.terminal import say_aside


@click.command("results")
@batch_argument()
@url_option
@click.option("--follow", is_flag=True, help="Wait until every image has its answer.")
@json_option
@csv_option
def results_command(*, batch: str, url: str, follow: bool, as_json: bool, as_csv: bool) -> None:
    """Print the answers of a BATCH: its id, or the address of its page.

    Exit status: 0 every image answered so far has a label; 1 some have none, or the web tier did not answer.
    """
    one_form(as_json, as_csv)
    try:
        with patient_client(url, say_aside) as client:
            if follow and (as_json or as_csv):
                # As they come, for a program at the other end of a pipe.
                answers = client.iter_results(batch)
            else:
                if follow:
                    with Meter() as meter:
                        wait_for_answers(client, batch, meter)
                answers = client.results(batch)
            failed = print_answers(answers, batch, client.page(batch), as_json=as_json, as_csv=as_csv)
    except ClientError as error:
        raise click.ClickException(str(error)) from error
    if failed:
        sys.exit(1)
