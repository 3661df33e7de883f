"""`novaburst plan`: what the scaling decision would be for a made-up moment. No AWS, no network."""

import json
import os
from dataclasses import asdict, replace
from datetime import UTC, datetime

import click

from novaburst import presets
from novaburst.commands.plans import plan_table
from novaburst.settings import SettingsError
from novaburst.terminal import Console
from scaling_lambda.fleet import Counts, Instance, Observation, State
from scaling_lambda.policy import Limits, Policy, decide
from scaling_lambda.settings import Settings
from scaling_lambda.settings import SettingsError as ScalingSettingsError

# Any moment will do: only the instances' ages count, and equal questions have equal answers.
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_COUNT = click.IntRange(min=0)


@click.command("plan")
@click.option("--visible", default=0, show_default=True, type=_COUNT, help="Messages that wait on the request queue.")
@click.option("--in-flight", default=0, show_default=True, type=_COUNT, help="Messages that workers hold.")
@click.option("--delayed", default=0, show_default=True, type=_COUNT, help="Messages that are not visible yet.")
@click.option("--pending", default=0, show_default=True, type=_COUNT, help="Instances just launched, still booting.")
@click.option("--running", default=0, show_default=True, type=_COUNT, help="Instances that run, past the boot grace.")
@click.option("--stopped", default=0, show_default=True, type=_COUNT, help="Instances that stand by, stopped.")
@click.option("--policy", type=click.Choice([str(policy) for policy in Policy]), help="Default: NOVABURST_POLICY.")
@click.option("--images-per-worker", type=click.IntRange(min=1), help="Default: as the settings have it.")
@click.option("--min-workers", type=_COUNT, help="Default: NOVABURST_MIN_WORKERS.")
@click.option("--max-workers", type=_COUNT, help="Default: NOVABURST_MAX_WORKERS. 20 is the last clamp.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan_command(
    *,
    visible: int,
    in_flight: int,
    delayed: int,
    pending: int,
    running: int,
    stopped: int,
    policy: str | None,
    images_per_worker: int | None,
    min_workers: int | None,
    max_workers: int | None,
    as_json: bool,
) -> None:
    """Ask what the scaling Lambda would do, offline. What is not given comes from the NOVABURST_* settings."""
    try:
        limits = Settings.load({**os.environ, **presets.of_the_lambda()}).limits
    except ScalingSettingsError as error:
        raise SettingsError(str(error)) from error
    minimum = limits.minimum if min_workers is None else min_workers
    limits = replace(
        limits,
        minimum=minimum,
        # As in the settings: the minimum is what stays warm.
        reserve=replace(limits.reserve, warm=minimum),
        maximum=limits.maximum if max_workers is None else max_workers,
        images_per_worker=images_per_worker or limits.images_per_worker,
        policy=Policy(policy or limits.policy),
    )
    instances = _instances(pending, running, stopped, limits)
    observation = Observation(_NOW, Counts(visible, in_flight, delayed), instances)
    plan = asdict(decide(observation, limits))
    if as_json:
        click.echo(json.dumps(plan, indent=2))
    else:
        Console().print(plan_table(plan))


def _instances(pending: int, running: int, stopped: int, limits: Limits) -> tuple[Instance, ...]:
    booting = [Instance(f"pending-{n}", State.PENDING, _NOW) for n in range(1, pending + 1)]
    grown = [Instance(f"running-{n}", State.RUNNING, _NOW - limits.boot_grace) for n in range(1, running + 1)]
    ready = [Instance(f"stopped-{n}", State.STOPPED, _NOW, standby=True) for n in range(1, stopped + 1)]
    return (*grown, *booting, *ready)
