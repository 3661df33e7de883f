"""`python -m worker_ami.chroot.start ROOT`: the instance that this folder is, booted from a baked root folder.

What the embedded AWS runs in place of a worker: cloud-init reads the instance's user data once, and then the worker's
unit is started as systemd would. The root folder is shared and stays as it is: what an instance writes lies in `disk`
below the current folder.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import requests

from worker_ami.chroot.root import inside
from worker_ami.chroot.unit import LOGS, Service, installed_service, start_command

UNIT = "novaburst-worker.service"
# Where the AWS of this machine is; on EC2 the worker finds it without.
_WHEREABOUTS = ("AWS_ENDPOINT_URL", "AWS_EC2_METADATA_SERVICE_ENDPOINT")
_TOKEN_TTL = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
_METADATA_SECONDS = 5
# https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html
_SEED = Path("var/lib/cloud/seed/nocloud")
# A folder has neither a disk to grow nor interfaces of its own.
_NO_DEVICES = "network: {config: disabled}\ngrowpart: {mode: 'off'}\nresize_rootfs: false\n"


@click.command()
@click.argument("root", type=click.Path(exists=True, file_okay=False, path_type=Path, resolve_path=True))
def main(root: Path) -> None:
    """Boot the instance and end with the exit status of its worker."""
    disk = Path.cwd() / "disk"
    service = installed_service(root, UNIT)
    written, booted = disk / "upper", disk / "booted"
    if not booted.exists():
        _boot(root, disk, service)
        booted.touch()
    files = {path: (written / path.lstrip("/")).read_text() for path in service.environment_files}
    whereabouts = {name: os.environ[name] for name in _WHEREABOUTS if name in os.environ}
    command = start_command(service, files, whereabouts)
    worker = subprocess.Popen(inside(root, command, disk=disk, keep_processes=True))  # noqa: S603 - the unit's
    signal.signal(signal.SIGTERM, lambda *_: worker.terminate())
    status = worker.wait()
    sys.exit(status if status >= 0 else 128 - status)


def _boot(root: Path, disk: Path, service: Service) -> None:
    """Let cloud-init do what the user data asks for, and make the folders that systemd would."""
    seed = disk / "upper" / _SEED
    config = disk / "upper/etc/cloud/cloud.cfg.d"
    for folder in (seed, config):
        folder.mkdir(parents=True, exist_ok=True)
    (config / "99-chroot.cfg").write_text(_NO_DEVICES)
    endpoint = os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
    (seed / "user-data").write_text(_metadata(endpoint, "user-data"))
    (seed / "meta-data").write_text(f"instance-id: {_metadata(endpoint, 'meta-data/instance-id')}\n")
    steps = ["cloud-init init"]
    if service.logs_directory is not None:
        steps.append(f"install -d -o {service.user} -g {service.user} {LOGS}/{service.logs_directory}")
    boot = inside(root, ["sh", "-ec", "\n".join(steps)], disk=disk)
    # Without a network: cloud-init must find the seed alone, and leave this machine's interfaces as they are.
    subprocess.run(["unshare", "--net", *boot], env=_plain(), check=True)  # noqa: S603, S607


def _plain() -> Mapping[str, str]:
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def _metadata(endpoint: str, path: str) -> str:
    token = requests.put(f"{endpoint}/latest/api/token", headers=_TOKEN_TTL, timeout=_METADATA_SECONDS)
    token.raise_for_status()
    headers = {"X-aws-ec2-metadata-token": token.text}
    answer = requests.get(f"{endpoint}/latest/{path}", headers=headers, timeout=_METADATA_SECONDS)
    answer.raise_for_status()
    return answer.content.decode()


if __name__ == "__main__":
    main()
