"""`novaburst token`: make, list and revoke the tokens that the web tier asks for, on the web tier's machine."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from novaburst.bounds import LEAST_BYTES_PER_DAY, MOST_BYTES_PER_DAY, MOST_REQUESTS_PER_MINUTE
from novaburst.terminal import Console, Table, say
from web_tier.token_file import TokenFileError, change, read
from web_tier.tokens import NAME, Scope, Token, Tokens, digest, new_text

_SIZE = re.compile(r"([0-9]{1,15})(|k|M|G|T)i?B?", re.IGNORECASE)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def _scopes(_: click.Context, __: click.Parameter, given: str) -> tuple[Scope, ...]:
    try:
        return tuple(dict.fromkeys(Scope(word.strip()) for word in given.split(",")))
    except ValueError as error:
        raise click.BadParameter(f"{error}: give {' or '.join(Scope)}, or both with a comma") from error


def _bytes(_: click.Context, __: click.Parameter, given: str | None) -> int | None:
    if given is None:
        return None
    found = _SIZE.fullmatch(given.strip())
    size = int(found[1]) * _UNITS[found[2].lower()] if found else 0
    if not LEAST_BYTES_PER_DAY <= size <= MOST_BYTES_PER_DAY:
        raise click.BadParameter(f"{given!r} is no number of bytes, such as 500M or 20G, from 1M to a thousand T")
    return size


@click.group("token")
@click.option(
    "--file",
    "path",
    envvar="NOVABURST_TOKEN_FILE",
    show_envvar=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file of tokens that the web tier reads; there must be one.",
)
@click.pass_context
def token_command(ctx: click.Context, path: Path | None) -> None:
    """The tokens with which people and programs may upload and see results.

    The web tier sees a change of the file at its next request; it need not be started again.
    """
    ctx.obj = path


def _pass_path(command: Callable[..., None]) -> Callable[..., None]:
    """The file as the first argument; asked for so late, its absence keeps nobody from the help of a command."""

    @click.pass_obj
    @wraps(command)
    def with_path(path: Path | None, /, **options: Any) -> None:
        if path is None:
            raise click.UsageError("Missing option '--file' of `novaburst token` (env var: 'NOVABURST_TOKEN_FILE').")
        command(path, **options)

    return with_path


@token_command.command("new")
@click.argument("name")
@click.option(
    "--scopes", default=",".join(Scope), show_default=True, callback=_scopes, help="What it opens; several by a comma."
)
@click.option("--days", type=click.IntRange(1, 3650), help="For how long it is good.  [default: until it is revoked]")
@click.option(
    "--per-minute", type=click.IntRange(1, MOST_REQUESTS_PER_MINUTE), help="Requests a minute.  [default: any number]"
)
@click.option("--bytes-per-day", callback=_bytes, help="Bytes uploaded a day, such as 20G.  [default: any number]")
@_pass_path
def new_command(
    path: Path,
    *,
    name: str,
    scopes: tuple[Scope, ...],
    days: int | None,
    per_minute: int | None,
    bytes_per_day: int | None,
) -> None:
    """Make a token for NAME and print it. It is shown this once; the file keeps its SHA-256 alone."""
    text, now = new_text(), datetime.now(UTC).replace(microsecond=0)
    # The library's own words would quote the hash.
    if not re.fullmatch(NAME, name):
        raise click.BadParameter(
            f"{name!r}: a name has small letters, digits, dots, dashes and underscores, at most 64"
        )
    token = Token(
        name=name,
        sha256=digest(text),
        scopes=scopes,
        created=now,
        expires=None if days is None else now + timedelta(days=days),
        per_minute=per_minute,
        bytes_per_day=bytes_per_day,
    )

    def add(tokens: Tokens) -> Tokens:
        if name in tokens.names():
            raise click.ClickException(
                f"there is a token {name!r} already: take another name, or revoke that one first"
            )
        return tokens.with_token(token)

    try:
        change(path, add)
    except TokenFileError as error:
        raise click.ClickException(str(error)) from error
    say(text)
    say(f"the token {name!r} is in {path}; this is the only time that it is shown", err=True)


@token_command.command("list")
@_pass_path
def list_command(path: Path) -> None:
    """Show the tokens that there are, by name."""
    try:
        tokens = read(path).tokens
    except TokenFileError as error:
        raise click.ClickException(str(error)) from error
    now = datetime.now(UTC)
    table = Table("name", "scopes", "made", "good until", "requests a minute", "bytes a day")
    for token in tokens:
        until = "no end" if token.expires is None else f"{token.expires:%Y-%m-%d %H:%M}"
        limits = ("any" if limit is None else f"{limit:,}" for limit in (token.per_minute, token.bytes_per_day))
        table.add_row(
            escape(token.name),
            ", ".join(token.scopes),
            f"{token.created:%Y-%m-%d %H:%M}",
            f"{until} (over)" if token.expired(now) else until,
            *limits,
        )
    Console().print(table)


@token_command.command("revoke")
@click.argument("name")
@_pass_path
def revoke_command(path: Path, *, name: str) -> None:
    """Revoke NAME's token: the web tier refuses it from its next request on."""

    def remove(tokens: Tokens) -> Tokens:
        if name not in tokens.names():
            raise click.ClickException(f"there is no token {name!r}: `novaburst token list` shows all")
        return tokens.without([name])

    try:
        read(path)
        change(path, remove)
    except TokenFileError as error:
        raise click.ClickException(str(error)) from error
    say(f"the token {name!r} is revoked")
