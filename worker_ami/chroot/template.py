"""What Packer's template says about provisioning, so that nothing of it is written twice."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The interpolations that the provisioners use: a variable of the template, its folder, and what Packer fills in.
_INTERPOLATION = re.compile(r"\{\{\s*(?:user `(?P<user>\w+)`|(?P<name>\.?\w+))\s*\}\}")
_SOURCE_NAME = re.compile(r"debian-(\d+)-")


class TemplateError(Exception):
    """The template says something that this reader does not know."""


@dataclass(frozen=True)
class Provisioning:
    """What is copied into the machine, and the scripts that run there, in order.

    Attributes:
        debian: the release of the machine, as "12".
        sources: files and folders that go below `destination`.
        environment: the scripts' variables.
        wrapper: the shell command that runs a script, before its interpolations.
    """

    debian: str
    sources: tuple[Path, ...]
    destination: str
    environment: Mapping[str, str]
    wrapper: str
    scripts: tuple[Path, ...]

    def command(self, script: str, more: Mapping[str, str]) -> str:
        """The shell command that runs the script at this path in the machine, with `more` variables."""
        variables = " ".join(shlex.quote(f"{name}={value}") for name, value in {**self.environment, **more}.items())
        return _filled(self.wrapper, {".Vars": variables, ".Path": shlex.quote(script)}, {})


def read_provisioning(template: Path, variables: Mapping[str, str]) -> Provisioning:
    """What `packer build -var NAME=VALUE ... template` would do once its instance answers.

    Raises:
        TemplateError: an unknown variable or interpolation, or other steps than a copy followed by a run of scripts.
    """
    document = json.loads(template.read_text())
    known: dict[str, str] = document["variables"]
    if unknown := sorted(variables.keys() - known.keys()):
        raise TemplateError(f"{template.name} has no variable {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    values = known | dict(variables)
    names = {"template_dir": str(template.resolve().parent)}

    def filled(text: str) -> str:
        return _filled(text, names, values)

    copy, run = _steps(document["provisioners"])
    pairs = (entry.split("=", 1) for entry in run["environment_vars"])
    return Provisioning(
        debian=_release(values["source_ami_name"]),
        sources=tuple(Path(filled(source)).resolve() for source in copy["sources"]),
        destination=filled(copy["destination"]),
        environment={name: filled(value) for name, value in pairs},
        wrapper=run["execute_command"],
        scripts=tuple(Path(filled(script)).resolve() for script in run["scripts"]),
    )


def _steps(provisioners: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    # What comes before concerns the EC2 instance itself: its metadata service, and waiting for its first boot.
    steps = [step for step in provisioners if step["type"] == "file" or "scripts" in step]
    if [step["type"] for step in steps] != ["file", "shell"]:
        raise TemplateError("the provisioners are not one copy followed by one run of scripts")
    return steps[0], steps[1]


def _filled(text: str, names: Mapping[str, str], values: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        try:
            return values[found["user"]] if found["user"] else names[found["name"]]
        except KeyError as error:
            raise TemplateError(f"{found[0]} in {text!r} is not known here") from error

    return _INTERPOLATION.sub(value, text)


def _release(image_name: str) -> str:
    found = _SOURCE_NAME.match(image_name)
    if found is None:
        raise TemplateError(f"source_ami_name {image_name!r} is no Debian release")
    return found[1]
