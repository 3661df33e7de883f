"""Options that several commands of `novaburst nova` take."""

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import click

from novaburst.settings import Settings
from web_tier.nova.handover import Handover

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

cloud_option = click.option(
    "--os-cloud", envvar="OS_CLOUD", show_envvar=True, help="The cloud's name in clouds.yaml; else the OS_* variables."
)
prefix_option = click.option("--prefix", help="Starts the name of every resource; NOVABURST_PREFIX by default.")

_REACH = (
    click.option(
        "--ssh-user", default="debian", show_default=True, help="The image's own user, to whom the AWS key goes."
    ),
    click.option("--identity", type=FILE, help="The private key for that; by default the agent's."),
    click.option("--ready-url", help="Where to ask whether it is ready.  [default: http://ADDRESS/readyz]"),
    click.option("--ready-seconds", default=1200, show_default=True, type=click.IntRange(1), help="How long to wait."),
)


def settings(prefix: str | None) -> Settings:
    """The settings, with the prefix that was given.

    Raises:
        novaburst.settings.SettingsError: one is wrong.
    """
    return Settings.load(**({} if prefix is None else {"prefix": prefix}))


def reach_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how to reach the machine, as `handover` takes them."""
    return reduce(lambda inner, option: option(inner), reversed(_REACH), command)


def handover(server_id: str, address: str, prefix: str, options: dict[str, Any]) -> Handover:
    """How to reach the machine at this address by the options."""
    return Handover(
        server_id=server_id,
        address=address,
        url=options["ready_url"] or f"http://{address}/readyz",
        seconds=options["ready_seconds"],
        prefix=prefix,
        user=options["ssh_user"],
        identity=options["identity"],
    )
