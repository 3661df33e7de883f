"""What a systemd unit says about starting its service, and the command that starts it so without systemd."""

import io
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dotenv

# systemd.exec(5): logs below it, named by LogsDirectory; the service is told in LOGS_DIRECTORY.
LOGS = "/var/log"
# systemd.exec(5), "Environment variables set in spawned processes", for a system service.
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Service:
    """The directives of a unit that say what runs, as whom, with which environment."""

    command: tuple[str, ...]
    user: str
    environment: Mapping[str, str]
    environment_files: tuple[str, ...]
    logs_directory: str | None


def read_service(texts: Sequence[str]) -> Service:
    """The service of a unit file followed by its drop-ins, in their order.

    Of systemd's syntax this reads what our own units use: one directive a line, no specifiers, no continued lines.
    """
    said: dict[str, list[str]] = {}
    for line in "\n".join(texts).splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            said.setdefault(name.strip(), []).append(value.strip())
    pairs = (pair.partition("=") for line in said.get("Environment", []) for pair in shlex.split(line))
    return Service(
        command=tuple(shlex.split(said["ExecStart"][-1])),
        user=said["User"][-1],
        environment={name: value for name, _, value in pairs},
        environment_files=tuple(said.get("EnvironmentFile", [])),
        logs_directory=said["LogsDirectory"][-1] if "LogsDirectory" in said else None,
    )


def installed_service(root: Path, name: str) -> Service:
    """The service of that name as it is installed in a root folder."""
    unit = root / "etc/systemd/system" / name
    drop_ins = sorted((unit.parent / f"{name}.d").glob("*.conf"))
    return read_service([path.read_text() for path in (unit, *drop_ins)])


def start_command(service: Service, files: Mapping[str, str], more: Mapping[str, str]) -> list[str]:
    """What runs the service inside its root: its user without any capability, and its environment without any other.

    Args:
        service: what the unit says.
        files: the content of each of its environment files.
        more: variables that the machine has and the unit does not say.
    """
    environment = {"PATH": _PATH, "LANG": "C.UTF-8", "USER": service.user, **service.environment}
    for path in service.environment_files:
        values = dotenv.dotenv_values(stream=io.StringIO(files[path]), interpolate=False)
        environment |= {name: value for name, value in values.items() if value is not None}
    if service.logs_directory is not None:
        environment["LOGS_DIRECTORY"] = f"{LOGS}/{service.logs_directory}"
    environment |= more
    user = ["--reuid", service.user, "--regid", service.user, "--init-groups", "--no-new-privs"]
    powers = ["--inh-caps=-all", "--bounding-set=-all", "--pdeathsig", "KILL"]
    variables = [f"{name}={value}" for name, value in environment.items()]
    return ["setpriv", *user, *powers, "env", "--ignore-environment", *variables, *service.command]
