"""The options and arguments that the subcommands share."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from novaburst.client import ClientError
from novaburst.client.connection import address

DEFAULT_URL = "http://127.0.0.1:8000"
_PAGE = re.compile(r"(https?://.+)/batches/")
_IDENTITY = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _address(_context: click.Context, _parameter: click.Parameter, given: str) -> str:
    try:
        return address(given)
    except ClientError as error:
        raise click.BadParameter(str(error)) from error


url_option = click.option(
    "--url",
    callback=_address,
    default=DEFAULT_URL,
    show_default=True,
    envvar="NOVABURST_URL",
    show_envvar=True,
    # Before BATCH, which may be an address.
    is_eager=True,
    help="The web tier's address.",
)


def batch_id(given: str) -> str:
    """The id of a batch in what a person has copied: the id itself, or the address of its page.

    Raises:
        click.BadParameter: it is neither.
    """
    identity = _PAGE.sub("", given).rstrip("/")
    if not _IDENTITY.fullmatch(identity):
        raise click.BadParameter(f"{given!r} is neither the id of a batch nor the address of its page")
    return identity


def _batch(context: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    if given is None:
        return None
    # What is typed beside it may be another way to the same web tier; a variable is older than the address.
    if (page := _PAGE.match(given)) and context.get_parameter_source("url") is not ParameterSource.COMMANDLINE:
        context.params["url"] = _address(context, parameter, page[1])
    return batch_id(given)


def batch_argument(*, required: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The argument BATCH, as an id; the address of a page also says which web tier to ask, unless `--url` does."""
    return click.argument("batch", required=required, callback=_batch)


def text_of(file: Path, what: str) -> str:
    """The text in a file that an option names, without white space around it; `what` it is to hold.

    Raises:
        click.ClickException: it is no text.
        OSError: it cannot be read.
    """
    try:
        return file.read_text().strip()
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file} holds no {what}: it is no text") from error
