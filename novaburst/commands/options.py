"""The options that the subcommands share."""

import click

DEFAULT_URL = "http://127.0.0.1:8000"

url_option = click.option(
    "--url",
    default=DEFAULT_URL,
    show_default=True,
    envvar="NOVABURST_URL",
    show_envvar=True,
    help="The web tier's address.",
)
