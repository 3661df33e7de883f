"""A root folder as Packer makes a machine image: Debian, the sources, and the provisioning scripts in their order."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from worker_ami.chroot import host
from worker_ami.chroot.root import inside
from worker_ami.chroot.template import Provisioning

# What Debian's own image for clouds has and the scripts rely on.
_OF_THE_SOURCE_IMAGE = ("cloud-init", "dbus", "openssh-server", "sudo", "systemd-sysv", "udev")
# https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt: 101 forbids every start of a service.
_NO_SERVICES = Path("usr/sbin/policy-rc.d")
# What debootstrap copies of this machine; a real one gets its own at each boot.
_OF_THIS_MACHINE = ("etc/resolv.conf", "etc/hostname", "etc/apt/sources.list")


class BakeError(Exception):
    """A step failed; the text says which."""


def bake(root: Path, provisioning: Provisioning, say: Callable[[str], None]) -> None:
    """Fill `root`, an empty folder, with what the AMI would hold.

    Raises:
        BakeError: a step failed; its own output says more.
        worker_ami.chroot.host.HostError: this machine cannot bake.
    """
    suite = host.codename(provisioning.debian)
    say(f"debootstrap {suite}")
    # In a namespace too, for what debootstrap mounts meanwhile.
    bootstrap = ["debootstrap", "--variant=minbase", suite, str(root), host.mirror(suite)]
    _run("debootstrap", ["unshare", "--mount", "--pid", "--fork", "--kill-child", *bootstrap], quiet=True)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (root / _NO_SERVICES).write_text("#!/bin/sh\nexit 101\n")
    (root / _NO_SERVICES).chmod(0o755)

    say("the packages of a cloud image")
    packages = " ".join(_OF_THE_SOURCE_IMAGE)
    install = (
        f"apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends {packages}"
    )
    _run_inside(root, "apt-get", install, quiet=True)

    _copy(provisioning.sources, root / provisioning.destination.lstrip("/"))
    for script in provisioning.scripts:
        say(script.name)
        copied = root / "tmp" / script.name
        shutil.copy(script, copied)
        command = provisioning.command(f"/{copied.relative_to(root)}", host.package_environment())
        _run_inside(root, script.name, command)
        copied.unlink()
    for path in (_NO_SERVICES, *_OF_THIS_MACHINE):
        (root / path).unlink(missing_ok=True)


def _copy(sources: Sequence[Path], destination: Path) -> None:
    destination.mkdir(parents=True)
    for source in sources:
        if source.is_dir():
            shutil.copytree(source, destination / source.name, symlinks=True)
        else:
            shutil.copy(source, destination)


def _run_inside(root: Path, step: str, command: str, *, quiet: bool = False) -> None:
    _run(step, inside(root, ["sh", "-c", command], lent=host.package_files()), quiet=quiet)


def _run(step: str, command: Sequence[str], *, quiet: bool = False) -> None:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
    done = subprocess.run(  # noqa: S603 - the commands of this package and of Packer's template
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BakeError(f"{step} ended with status {done.returncode}" + (f":\n{done.stdout}" if quiet else ""))
