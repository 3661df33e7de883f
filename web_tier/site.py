"""`python -m web_tier.site`: nginx's site for this machine's settings, on standard output."""

from pathlib import Path

import click
import jinja2

from novaburst.settings import SettingsError
from web_tier.settings import WebSettings

_TEMPLATE = Path(__file__).with_name("nginx") / "novaburst.conf.template"
# What nginx waits longer than the application, in seconds: the application's answer comes before nginx's own.
_MARGIN_SECONDS = 15
# What nginx listens on unless it is told otherwise.
LISTEN = "80 default_server"
# How long gunicorn keeps an idle connection, and how much earlier nginx lets it go, in seconds.
KEEPALIVE_SECONDS = 15
_EARLIER_SECONDS = 5
# When to come back while gunicorn restarts, in seconds.
_RETRY_SECONDS = 2


def render(settings: WebSettings, listen: str) -> str:
    """The site file; `listen` is nginx's address and port, with its options."""
    template = jinja2.Template(_TEMPLATE.read_text(), undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    site: str = template.render(
        bind=settings.bind,
        listen=listen,
        max_upload_bytes=settings.max_upload_bytes,
        proxy_read_seconds=settings.max_wait_seconds + _MARGIN_SECONDS,
        upstream_keepalive_seconds=KEEPALIVE_SECONDS - _EARLIER_SECONDS,
        retry_seconds=_RETRY_SECONDS,
    )
    return site


@click.command()
@click.option("--listen", default=LISTEN, show_default=True, help="What nginx listens on.")
def main(listen: str) -> None:
    """Print the site; run it again, and reload nginx, whenever a setting of the web tier changes."""
    try:
        click.echo(render(WebSettings.load(), listen), nl=False)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
