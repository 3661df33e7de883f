"""The options that the subcommands share."""

import click

url_option = click.option(
    "--url",
    default="http://127.0.0.1:8000",
    show_default=True,
    envvar="NOVABURST_URL",
    show_envvar=True,
    help="The web tier's address.",
)
