"""`novaburst up`: the command line of the local cloud."""

import os
import shlex
from pathlib import Path
from typing import Any

import click

from local_cloud.preflight import PreflightError
from local_cloud.up import AWS_COMMAND, LocalCloud, Options
from novaburst import presets
from novaburst.bounds import FLEET_HARD_MAXIMUM, IDLE_SECONDS
from novaburst.settings import Settings


def default_workers() -> int:
    """The preset's maximum; or the number of cores this process may use, at most the fleet's maximum: each worker holds
    a model in memory."""
    if maximum := presets.defaults().get("NOVABURST_MAX_WORKERS"):
        return int(maximum)
    return min(len(os.sched_getaffinity(0)), FLEET_HARD_MAXIMUM)


def default_idle_seconds() -> int:
    """The preset's, or every worker's."""
    return int(presets.defaults().get("NOVABURST_IDLE_SECONDS", IDLE_SECONDS))


@click.command("up")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Of the web tier.")
@click.option(
    "--max-workers",
    default=default_workers,
    show_default="the number of cores, at most 20",
    type=click.IntRange(1, FLEET_HARD_MAXIMUM),
    envvar="NOVABURST_MAX_WORKERS",
    show_envvar=True,
    help="The most workers at any time.",
)
@click.option(
    "--boot-seconds",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, 600),
    help="How long an instance takes from launch to running.",
)
@click.option(
    "--idle-seconds",
    default=default_idle_seconds,
    show_default="30",
    type=click.IntRange(1, 3600),
    envvar="NOVABURST_IDLE_SECONDS",
    show_envvar=True,
    help="How long a worker without work waits before it ends itself.",
)
@click.option(
    "--state",
    default=Path(".novaburst"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where results, logs and the embedded AWS's files are kept; the model is the checkout's.",
)
@click.option(
    "--aws-command",
    default=shlex.join(AWS_COMMAND),
    show_default="python -m local_cloud.server",
    help="What runs as the embedded AWS; it gets that program's options.",
)
def up_command(state: Path, aws_command: str, **chosen: Any) -> None:
    """Run the whole hybrid cloud on this machine, on loopback, until Ctrl-C."""
    command = tuple(shlex.split(aws_command))
    options = Options(state=state.resolve(), prefix=Settings.load().prefix, aws_command=command, **chosen)
    try:
        LocalCloud(options, say=click.echo).run()
    except KeyboardInterrupt:
        return
    except (PreflightError, RuntimeError) as error:
        raise click.ClickException(str(error)) from error
