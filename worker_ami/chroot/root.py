"""A command inside a root folder, in a mount namespace of its own: every mount ends with the command."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

# What a machine's own boot would do.
_MOUNTS = (
    "mount -t proc proc proc",
    "mount --rbind /sys sys",
    "mount --rbind /dev dev",
    "mount -t tmpfs tmpfs run",
    "hostname localhost",
)


def inside(
    root: Path,
    command: Sequence[str],
    *,
    disk: Path | None = None,
    lent: Mapping[str, str] | None = None,
    keep_processes: bool = False,
) -> list[str]:
    """The arguments of a process that runs `command` as root inside `root`.

    Args:
        root: the folder that the command sees as /.
        command: what to run there.
        disk: a folder that takes what the command writes, in place of `root`, which then stays as it is.
        lent: files and folders of this machine, to where the command sees them.
        keep_processes: whether what the command leaves running may outlive it.
    """
    steps = ["set -eu", f"cd {shlex.quote(str(root))}"]
    if disk is not None:
        layers = f"lowerdir={root},upperdir={disk}/upper,workdir={disk}/work"
        steps += [
            f"cd {shlex.quote(str(disk))}",
            "mkdir -p upper work root",
            f"mount -t overlay overlay -o {shlex.quote(layers)} root",
            "cd root",
        ]
    steps += _MOUNTS
    for source, target in (lent or {}).items():
        here, there = shlex.quote(source), shlex.quote(f".{target}")
        steps.append(f"[ -e {there} ] || touch {there}; mount --bind {here} {there}")
    steps.append('exec chroot . "$@"')
    namespaces = ["--mount", "--uts"] if keep_processes else ["--mount", "--uts", "--pid", "--fork", "--kill-child"]
    return ["unshare", *namespaces, "sh", "-c", "\n".join(steps), "sh", *command]
