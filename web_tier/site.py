"""`python -m web_tier.site`: nginx's site for this machine's settings, on standard output."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import click
import jinja2

from novaburst.settings import SettingsError
from web_tier.settings import WebSettings

_TEMPLATE = Path(__file__).with_name("nginx") / "novaburst.conf.template"
# What nginx waits longer than the application, in seconds: the application's answer comes before nginx's own.
_MARGIN_SECONDS = 15
# What nginx listens on unless it is told otherwise.
LISTEN = "80 default_server"
# And where it speaks TLS, once there is a certificate.
TLS_LISTEN = "443 ssl default_server"
_TLS_PORT = 443
# Where `certbot --webroot` leaves its answers.
CHALLENGE_ROOT = "/var/www/novaburst-acme"
# How long a browser that was here by TLS will not come without it, in seconds: a year.
_STRICT_TRANSPORT_SECONDS = 31_536_000
# How long gunicorn keeps an idle connection, and how much earlier nginx lets it go, in seconds.
KEEPALIVE_SECONDS = 15
_EARLIER_SECONDS = 5
# When to come back while gunicorn restarts or all is busy, in seconds: one client then, another later.
_RETRY_SECONDS = (1, 2, 3, 4)
# Beyond the requests that gunicorn's threads work on, one for so many of them may wait for a thread; and where these
# are all there, as many more whose client has sent for long.
_WAITING_SHARE = 4
# Requests at once of all clients. Each takes some 30 KB of nginx's memory, and 1 MB of disk at the most.
_REQUESTS = 1280
# Bodies of so many digits are not kept on that disk, but passed on as they come.
_LARGE_DIGITS = 7
LARGE_BYTES = 10 ** (_LARGE_DIGITS - 1)


@dataclass(frozen=True)
class Tls:
    """How nginx speaks TLS."""

    certificate: str
    key: str
    # As nginx's directive takes it.
    listen: str
    # As it stands in an address after the host: nothing for the usual one.
    port: str

    @classmethod
    def of(cls, settings: WebSettings, listen: str) -> Self | None:
        """What the settings say; None when they name no certificate.

        Raises:
            novaburst.settings.SettingsError: only one of certificate and key is set.
        """
        certificate, key = settings.tls_certificate, settings.tls_key
        if certificate is None and key is None:
            return None
        if certificate is None or key is None:
            raise SettingsError("NOVABURST_TLS_CERTIFICATE, NOVABURST_TLS_KEY: one is set and one is not: set both")
        found = re.match(r"(?:\S*:)?([0-9]+)(?:\s|$)", listen)
        port = int(found[1]) if found else _TLS_PORT
        return cls(certificate, key, listen, "" if port == _TLS_PORT else f":{port}")


def render(settings: WebSettings, listen: str, tls_listen: str = TLS_LISTEN) -> str:
    """The site file; `listen` and `tls_listen` are nginx's address and port without and with TLS, with their options.

    Raises:
        novaburst.settings.SettingsError: only one of certificate and key is set.
    """
    template = jinja2.Template(_TEMPLATE.read_text(), undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    threads = settings.web_workers * settings.web_threads
    site: str = template.render(
        at_work=threads + threads // _WAITING_SHARE,
        patient=max(1, threads // _WAITING_SHARE),
        requests=max(_REQUESTS, 2 * threads),
        large_digits=_LARGE_DIGITS,
        bind=settings.bind,
        listen=listen,
        max_upload_bytes=settings.max_upload_bytes,
        proxy_read_seconds=settings.max_wait_seconds + _MARGIN_SECONDS,
        upstream_keepalive_seconds=KEEPALIVE_SECONDS - _EARLIER_SECONDS,
        retry_seconds=_RETRY_SECONDS,
        tls=Tls.of(settings, tls_listen),
        challenge_root=CHALLENGE_ROOT,
        strict_transport_seconds=_STRICT_TRANSPORT_SECONDS,
    )
    return site


@click.command()
@click.option("--listen", default=LISTEN, show_default=True, help="What nginx listens on.")
@click.option("--tls-listen", default=TLS_LISTEN, show_default=True, help="The same for TLS, if a certificate is set.")
def main(listen: str, tls_listen: str) -> None:
    """Print the site; run it again, and reload nginx, whenever a setting of the web tier changes."""
    try:
        click.echo(render(WebSettings.load(), listen, tls_listen), nl=False)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
