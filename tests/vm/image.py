"""`python -m tests.vm.image DIR`: a Debian cloud image, and the packages that its user data will ask for.

No registry has a ready cloud image, so one is made of Debian's packages: what a cloud image holds, and no web tier. DIR
then holds `disk.qcow2`, `vmlinuz`, `initrd.img`, and below `depot/` what the VM installs at its first boot.
"""

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from web_tier.nova.user_data import PACKAGES
from worker_ami.chroot.host import codename, mirror

PROJECT = Path(__file__).resolve().parents[2]
# Where the VM finds the depot: its address of this machine's loopback, and the port there.
HOST = "10.0.2.2"
DEPOT_PORT = 8410

_RELEASE = "12"
_PYTHON = "3.11"
# As Debian's own cloud images have them, less what only other clouds or people need.
_SYSTEM = (
    "ca-certificates",
    "cloud-guest-utils",
    "cloud-init",
    "dbus",
    "e2fsprogs",
    "iproute2",
    "linux-image-cloud-amd64",
    "netplan.io",
    "openssh-server",
    "procps",
    "sudo",
    "systemd-sysv",
    "udev",
)
_DISK_BYTES = 5 * 10**9
# The image's own archive is the depot, its user data comes on a disk, it has no locale to generate and knows its name:
# all that is the image's business.
_CLOUD_CONFIG = """\
apt: {preserve_sources_list: true}
datasource_list: [NoCloud]
locale: false
manage_etc_hosts: true
"""
_SOURCES = f"deb [trusted=yes] http://{HOST}:{DEPOT_PORT}/debs ./\n"


def build(out: Path) -> None:
    """Make the image in `out`, unless the same one is there already; about four minutes.

    Raises:
        subprocess.CalledProcessError: a tool failed; its output says why.
    """
    recipe = hashlib.sha256(Path(__file__).read_bytes() + repr(PACKAGES).encode()).hexdigest()
    stamp = out / "recipe"
    if stamp.exists() and stamp.read_text() == recipe:
        return
    shutil.rmtree(out, ignore_errors=True)
    (out / "depot").mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        root = Path(folder) / "root"
        _make_root(root, Path(folder))
        debs = out / "depot" / "debs"
        shutil.move(root / "debs", debs)
        (debs / "Packages").write_bytes(_output("dpkg-scanpackages", "--multiversion", ".", cwd=debs))
        for name in ("vmlinuz", "initrd.img"):
            shutil.copyfile((root / name).resolve(), out / name)
        raw = Path(folder) / "disk.raw"
        with raw.open("wb") as disk:
            disk.truncate(_DISK_BYTES)
        _run("mkfs.ext4", "-q", "-d", root, raw)
        _run("qemu-img", "convert", "-O", "qcow2", raw, out / "disk.qcow2")
    stamp.write_text(recipe)


def gather_wheels(folder: Path) -> None:
    """The web tier as it stands in this checkout, and what it needs, as wheels for the VM's Python.

    Raises:
        subprocess.CalledProcessError: pip failed; its output says why.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    _run(*pip, "wheel", "--no-deps", "--wheel-dir", folder, PROJECT)
    [wheel] = folder.glob("novaburst-*.whl")
    platforms = [f"manylinux_2_{minor}_{platform.machine()}" for minor in (17, 28, 34)]
    choice = ["--only-binary", ":all:", "--python-version", _PYTHON, "--implementation", "cp"]
    for name in platforms:
        choice += ["--platform", name]
    constraints = ["--constraint", PROJECT / "constraints.txt"]
    _run(*pip, "download", *choice, *constraints, "--dest", folder, f"novaburst[web] @ {wheel.as_uri()}")


def _make_root(root: Path, folder: Path) -> None:
    """The file system, with the packages for later beside it in `/debs`."""
    name = codename(_RELEASE)
    config, sources = folder / "cloud.cfg", folder / "sources.list"
    config.write_text(_CLOUD_CONFIG)
    sources.write_text(_SOURCES)
    download = f'chroot "$1" apt-get -qq -o Dir::Cache::archives=/debs install --download-only {" ".join(PACKAGES)}'
    hooks = [
        f'mkdir -p "$1/debs/partial" && {download} && rm -r "$1/debs/partial" "$1/debs/lock"',
        f'install -m 0644 "{config}" "$1/etc/cloud/cloud.cfg.d/90-site.cfg"',
        f'rm -rf "$1"/etc/apt/sources.list.d/* && install -m 0644 "{sources}" "$1/etc/apt/sources.list"',
        # Every VM makes its own.
        'rm -f "$1"/etc/ssh/ssh_host_* && : >"$1/etc/machine-id"',
        'chroot "$1" systemctl -q enable systemd-networkd',
    ]
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(_SYSTEM)}"]
    command += [f"--customize-hook={hook}" for hook in hooks]
    _run(*command, name, root, mirror(name))


def _run(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True)


def _output(*command: str, cwd: Path) -> bytes:
    return subprocess.run(command, check=True, cwd=cwd, stdout=subprocess.PIPE).stdout


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path, resolve_path=True))
def main(out: Path) -> None:
    """Make OUT the folder of a VM's image and depot; the wheels are made anew each time."""
    build(out)
    gather_wheels(out / "depot" / "wheels")
    shutil.copyfile(PROJECT / "constraints.txt", out / "depot" / "constraints.txt")


if __name__ == "__main__":
    main()
