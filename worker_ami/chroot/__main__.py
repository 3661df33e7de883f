"""`python -m worker_ami.chroot --out DIR`: make a root folder by the provisioning scripts of packer.json."""

import os
import time
from pathlib import Path

import click

from worker_ami.chroot.bake import BakeError, bake
from worker_ami.chroot.host import HostError
from worker_ami.chroot.template import TemplateError, read_provisioning

TEMPLATE = Path(__file__).resolve().parents[1] / "packer.json"


@click.command()
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path, resolve_path=True))
@click.option("--var", "assignments", multiple=True, metavar="NAME=VALUE", help="As `packer build` takes them.")
def main(out: Path, assignments: tuple[str, ...]) -> None:
    """Make OUT the root folder of a worker; needs root, debootstrap and the release of Debian that the AMI has."""
    began = time.monotonic()
    pairs = [assignment.partition("=") for assignment in assignments]
    if os.geteuid() != 0:
        raise click.ClickException("only root can make devices and change roots")
    if out.exists() and any(out.iterdir()):
        raise click.ClickException(f"{out} is not empty")
    out.mkdir(parents=True, exist_ok=True)
    try:
        provisioning = read_provisioning(TEMPLATE, {name: value for name, _, value in pairs})
        bake(out, provisioning, lambda text: click.echo(f"{time.monotonic() - began:5.0f} s  {text}"))
    except (BakeError, HostError, TemplateError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{time.monotonic() - began:5.0f} s  done")


if __name__ == "__main__":
    main()
