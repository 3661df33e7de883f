"""`chalice deploy` of the scaling Lambda from a staged copy, so that the checkout stays as it is."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

STAGE = "local"
_STAGED = ("app.py", "requirements.txt", "scaling_lambda", "vendor", ".chalice")


class LambdaDeploymentError(RuntimeError):
    """`chalice deploy` failed; the text is the end of what it printed."""


def stage(project: Path, target: Path, environment: Mapping[str, str]) -> None:
    """Copy what Chalice deploys from the checkout to `target`, with `environment` set on the Lambda's local stage.

    An earlier copy's package cache is kept, so a later start on the same state folder need not build it again.
    """
    target.mkdir(parents=True, exist_ok=True)
    for name in _STAGED:
        source, copy = project / name, target / name
        if source.is_dir():
            kept = copy / "deployments"
            cache = target / "deployments.kept"
            if kept.is_dir():
                kept.rename(cache)
            shutil.rmtree(copy, ignore_errors=True)
            unwanted = shutil.ignore_patterns("__pycache__", "deployed", "deployments")
            shutil.copytree(source, copy, symlinks=True, ignore=unwanted)
            if cache.is_dir():
                cache.rename(kept)
        else:
            shutil.copy2(source, copy)
    config_file = target / ".chalice" / "config.json"
    config = json.loads(config_file.read_text())
    config["stages"][STAGE].setdefault("environment_variables", {}).update(environment)
    config_file.write_text(json.dumps(config, indent=2))


def deploy(target: Path, environment: Mapping[str, str]) -> str:
    """Run `chalice deploy` in a staged copy with the process environment `environment`; what it printed is returned.

    Raises:
        LambdaDeploymentError: it ended with another status than 0.
    """
    finished = subprocess.run(  # noqa: S603 - our own command line, no shell
        [Path(sys.executable).with_name("chalice"), "deploy", "--stage", STAGE],
        cwd=target,
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        raise LambdaDeploymentError("\n".join((finished.stdout + finished.stderr).splitlines()[-15:]))
    return finished.stdout
