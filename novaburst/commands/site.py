"""The options that say what the web tier's VM is told at its first boot."""

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any

import click
from pydantic import ValidationError

from novaburst.settings import SettingsError
from web_tier.nova.user_data import SiteSettings

_OPTIONS = (
    click.option(
        "--set",
        "variables",
        multiple=True,
        metavar="NAME=VALUE",
        help="A variable of the web tier, NOVABURST_... or AWS_ENDPOINT_URL...; again for more.",
    ),
    click.option("--package", help="What pip installs there.  [default: novaburst[web]]"),
    click.option("--wheels-url", help="A page of links to wheels; without --index-url it must have them all."),
    click.option("--index-url", help="The package index to install from."),
    click.option("--constraints-url", help="A file of pip constraints."),
    click.option("--ntp-server", "ntp_servers", multiple=True, help="Instead of the distribution's; again for more."),
    click.option("--swap-mib", type=click.IntRange(0, 4096), help="Swap in MiB; 0 for none.  [default: 1024]"),
    click.option("--mtu", type=click.IntRange(1280, 9216), help="Where the way to AWS takes less than DHCP says."),
)
SITE_FIELDS = ("package", "wheels_url", "index_url", "constraints_url", "ntp_servers", "swap_mib", "mtu")


def site_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options, as arguments: `variables`, and those of `SITE_FIELDS`."""
    return reduce(lambda inner, option: option(inner), reversed(_OPTIONS), command)


def site_settings(prefix: str, region: str, *, variables: Iterable[str], **given: Any) -> SiteSettings:
    """The settings from the options; what was not given keeps its default.

    Raises:
        novaburst.settings.SettingsError: one is wrong, or would put a secret into the user data.
    """
    environment: dict[str, str] = {}
    for pair in variables:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SettingsError(f"--set {name}: must be NAME=VALUE")
        environment[name] = value
    fields = {name: value for name, value in given.items() if value not in (None, ())}
    try:
        return SiteSettings(prefix=prefix, region=region, environment=environment, **fields)
    except ValidationError as error:
        # Its own text quotes what was given, and that may be the secret that it refuses.
        faults = (f"{'.'.join(map(str, fault['loc'])) or 'web tier'}: {fault['msg']}" for fault in error.errors())
        raise SettingsError("; ".join(faults)) from None
