"""`python -m web_tier.nova.machine`: this machine serves the web tier, with the units and the site that it ships."""

import logging
import pwd
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from novaburst.settings import SettingsError
from web_tier.connections import with_room
from web_tier.logs import log_to_stderr
from web_tier.settings import WebSettings
from web_tier.site import LISTEN, render
from web_tier.token_file import TokenFileError, prepare

log = logging.getLogger(__name__)

USER = "novaburst"
WEB, LISTENER = "novaburst-web.service", "novaburst-listener.service"

_UNITS = Path(__file__).parents[1] / "systemd"


def place(root: Path, settings: WebSettings) -> None:
    """Put the units and the nginx site of these settings below `root`; done again, nothing changes.

    Raises:
        OSError: a file cannot be written; nginx, for one, is not installed.
        ValueError: nginx's own file is not one that can be given room for more connections.
    """
    for unit in sorted(_UNITS.glob("*.service")):
        (root / "etc/systemd/system" / unit.name).write_text(unit.read_text())
    nginx = root / "etc/nginx"
    main, site, enabled = nginx / "nginx.conf", nginx / "sites-available/novaburst", nginx / "sites-enabled/novaburst"
    main.write_text(with_room(main.read_text()))
    site.write_text(render(settings, LISTEN))
    if not enabled.is_symlink():
        enabled.symlink_to("../sites-available/novaburst")
    # The distribution's page of welcome listens at the same place.
    (nginx / "sites-enabled/default").unlink(missing_ok=True)


def serve(run: Callable[[Sequence[str]], object]) -> None:
    """Start, or start again, what `place` has put there; `run` runs a command and raises what it likes."""
    run(["systemctl", "daemon-reload"])
    run(["systemctl", "enable", WEB, LISTENER])
    # Restarted rather than reloaded: after an upgrade gunicorn's master, too, must be the new one.
    run(["systemctl", "restart", WEB, LISTENER])
    run(["nginx", "-t", "-q"])
    run(["systemctl", "reload-or-restart", "nginx.service"])


# A command rather than a function: whoever asks for `--help` as root has not asked for a web tier.
@click.command()
def main() -> None:
    """Make this machine serve the web tier: its user, its units, nginx's site. To be called by root.

    Settings are taken from the environment, NOVABURST_... and AWS_...; called again, it takes the new ones.
    """
    log_to_stderr()

    def run(command: Sequence[str]) -> None:
        log.info("%s", " ".join(command))
        subprocess.run(command, check=True)  # noqa: S603 - the commands above

    try:
        if USER not in {entry.pw_name for entry in pwd.getpwall()}:
            run(["useradd", "--system", "--shell", "/usr/sbin/nologin", USER])
        settings = WebSettings.load()
        if settings.token_file is not None:
            # Without its file the web tier would not start, and who makes a token needs a machine to log in to.
            account = pwd.getpwnam(USER)
            prepare(settings.token_file, (account.pw_uid, account.pw_gid))
        place(Path("/"), settings)
        serve(run)
    except (OSError, SettingsError, TokenFileError, ValueError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"this machine does not serve the web tier: {error}") from error


if __name__ == "__main__":
    main()
