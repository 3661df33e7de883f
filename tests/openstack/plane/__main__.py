"""`python -m tests.openstack.plane`: a real OpenStack on loopback until Ctrl-C, for tests and for trying things."""

import signal
import sys
from pathlib import Path

import click

from local_cloud.preflight import PreflightError
from tests.openstack.plane.plane import Plane


@click.command()
@click.option("--home", default=Path(".openstack"), type=click.Path(path_type=Path), show_default=True)
def main(home: Path) -> None:
    """Start it, say where the operator's clouds.yaml is, and stop it at Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        plane = Plane(home, click.echo)
    except PreflightError as error:
        raise click.ClickException(str(error)) from error
    try:
        plane.start()
        click.echo(f"OS_CLIENT_CONFIG_FILE={plane.layout.clouds} OS_CLOUD=operator; Ctrl-C ends it")
        signal.pause()
    except (PreflightError, RuntimeError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        return
    finally:
        plane.stop()


if __name__ == "__main__":
    main()
