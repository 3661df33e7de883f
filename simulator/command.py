"""`novaburst simulate` and `novaburst estimate`: the model from the command line. No AWS, no network."""

import json
import math
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from novaburst import presets
from novaburst.bounds import RETENTION_DAYS
from novaburst.settings import SettingsError
from novaburst.terminal import Console
from scaling_lambda.settings import IMAGES_PER_SECOND, Settings
from scaling_lambda.settings import SettingsError as ScalingSettingsError
from simulator.bill import Bill, Fleet, Kept, Uploads, of_burst, of_images, of_month
from simulator.estimate import Estimate, estimate
from simulator.optimum import least_cost
from simulator.prices import Prices, PricesError
from simulator.report import bill_table, plot, tables
from simulator.run import Outcome, UnansweredError, run
from simulator.scalers.catalogue import catalogue
from simulator.workloads import TraceError, Workload, burst, diurnal, poisson, trace
from simulator.world import World

_COUNT = click.IntRange(min=1)
_SEED = 0
# A photo of 500 by 375 pixels, as those are by which the speed of a worker is measured. A phone's has 3,000 or more.
_IMAGE_KILOBYTES = 60.0
_NOT_IN_IT = (
    "List prices of us-east-1, unless --prices has others. Not in them: AWS's free tier, taxes, traffic out of AWS,"
    " a NAT gateway where workers have no public address, the web tier's own machine. See docs/costs.md."
)


class _Number(click.FloatRange):
    """A finite one: no comparison with a bound refuses "nan", and no upper one "inf"."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


@dataclass(frozen=True)
class _Deployment:
    """What the settings say of instances and their share of work."""

    images_per_worker: int
    maximum: int
    kept: Kept

    @property
    def price(self) -> float:
        """US dollars an instance hour."""
        return self.kept.price


def _deployment() -> _Deployment:
    try:
        settings = Settings.load({**os.environ, **presets.of_the_lambda()})
    except ScalingSettingsError as error:
        raise SettingsError(str(error)) from error
    limits = settings.limits
    price = limits.prices.of(None)
    if price is None:
        raise SettingsError("the instance type has no known price: set NOVABURST_PRICE_PER_HOUR")
    kept = Kept(limits.minimum, limits.reserve.standby, price, settings.triggers)
    return _Deployment(limits.images_per_worker, limits.maximum, kept)


_speed = click.option(
    "--images-per-second",
    type=_Number(min=0.001),
    default=IMAGES_PER_SECOND,
    show_default=True,
    envvar="NOVABURST_IMAGES_PER_SECOND",
    help="What one instance classifies.",
)
_boot = click.option(
    "--boot-seconds",
    type=(_Number(min=0), _Number(min=0)),
    default=World().boot,
    show_default=True,
    help="Bounds of a new instance's boot.",
)
_idle = click.option(
    "--idle-seconds",
    "idle",
    type=_Number(min=1),
    default=lambda: float(presets.defaults().get("NOVABURST_IDLE_SECONDS", World().idle)),
    show_default=f"{World().idle:g}",
    envvar="NOVABURST_IDLE_SECONDS",
    help="How long a worker without work stays.",
)
_image_kilobytes = click.option(
    "--image-kilobytes",
    type=_Number(min=0.001),
    default=_IMAGE_KILOBYTES,
    show_default=True,
    help="The mean size of an image, of 1,000 bytes each. Large ones take longer, too: --images-per-second.",
)
_retention_days = click.option(
    "--retention-days",
    type=click.IntRange(1, 3650),
    default=RETENTION_DAYS,
    show_default=True,
    help="How long images and results are kept, as novaburst deploy was told.",
)
_prices = click.option(
    "--prices",
    "prices_file",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help='A JSON file of other prices than those of us-east-1, like {"s3_put_per_1000": 0.0054} (docs/costs.md).',
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("simulate")
@click.option("--burst", "burst_sizes", type=_COUNT, multiple=True, help="Images uploaded at once; may be repeated.")
@click.option("--poisson", "rates", type=_Number(min=0.001), multiple=True, help="Images/s, for an hour.")
@click.option("--diurnal", "days", type=_COUNT, multiple=True, help="Images over a day, most of them at noon.")
@click.option(
    "--trace",
    "traces",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    multiple=True,
    help="A CSV file with lines seconds,images.",
)
@click.option("--images-per-worker", type=_COUNT, help="Default: as the settings have it.")
@click.option("--max-workers", type=click.IntRange(1, 20), help="Default: NOVABURST_MAX_WORKERS.")
@click.option("--interruptions", type=_Number(min=0), default=0.0, help="Of a spot instance, an hour.")
@click.option("--capacity-errors", type=_Number(0, 0.99), default=0.0, help="Share of launches refused.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=_SEED, show_default=True, help="Equal seeds give equal runs."
)
@click.option(
    "--plot",
    "plots",
    type=click.Path(dir_okay=False, path_type=Path),
    multiple=True,
    help="A .png or .svg file; may be repeated.",
)
@_speed
@_boot
@_idle
@_json
def simulate_command(
    *,
    burst_sizes: tuple[int, ...],
    rates: tuple[float, ...],
    days: tuple[int, ...],
    traces: tuple[Path, ...],
    images_per_worker: int | None,
    max_workers: int | None,
    seed: int,
    plots: tuple[Path, ...],
    as_json: bool,
    **world_options: Any,
) -> None:
    """Compare ways of scaling on a workload: waits, cost and waste. Our rule is the deployed Lambda's own code."""
    deployment = _deployment()
    world = _world(deployment, **world_options)
    share, maximum = images_per_worker or deployment.images_per_worker, max_workers or deployment.maximum
    random = np.random.default_rng(seed)
    try:
        workloads = [
            *(burst(images) for images in burst_sizes),
            *(poisson(rate, 3600, random) for rate in rates),
            *(diurnal(images, random) for images in days),
            *(trace(path) for path in traces),
        ] or [burst(images) for images in (100, 10_000, 1_000_000)]
        outcomes = [
            (workload, run(workload, scaler(), world, images_per_worker=share, maximum=maximum, seed=seed))
            for workload in workloads
            for scaler in catalogue(world.idle, maximum)
        ]
    except (TraceError, UnansweredError, ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    # The tables first: they took long, and no picture is worth them.
    _print(outcomes, world, as_json=as_json)
    if undrawn := [said for path in plots if (said := _draw(outcomes, path)) is not None]:
        raise click.ClickException("; ".join(undrawn))


def _draw(outcomes: list[tuple[Workload, Outcome]], path: Path) -> str | None:
    """Draw the outcomes into a file; what went wrong, in words, if anything did."""
    try:
        plot([outcome for _, outcome in outcomes], path)
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}"
    except ValueError as error:
        return f"{path} cannot be drawn: {error}"
    return None


def _print(outcomes: list[tuple[Workload, Outcome]], world: World, *, as_json: bool) -> None:
    with_bound = [(outcome, least_cost(workload, world, outcome.p95)) for workload, outcome in outcomes]
    if as_json:
        click.echo(json.dumps([{**asdict(outcome), "least_cost": least} for outcome, least in with_bound], indent=2))
    else:
        Console().print(*tables(with_bound))
        others = 1000 * of_images(Uploads(1, _IMAGE_KILOBYTES * 1000), Prices()).total
        click.echo(
            f"The cost is EC2's alone. Each 1,000 images of {_IMAGE_KILOBYTES:g} KB cost {others:.4f} US dollars more,"
            " for requests, storage and logs, in each of these ways: novaburst estimate has the whole bill."
        )


@click.command("estimate")
@click.option("--images", type=_COUNT, required=True, help="Images uploaded at once.")
@click.option("--within", type=_Number(min=0.01), required=True, help="Minutes until the last answer.")
@click.option("--max-workers", type=click.IntRange(1, 20), help="Default: NOVABURST_MAX_WORKERS.")
@_speed
@_boot
@_idle
@_image_kilobytes
@_retention_days
@_prices
@_json
def estimate_command(
    *,
    images: int,
    within: float,
    max_workers: int | None,
    image_kilobytes: float,
    retention_days: int,
    prices_file: Path | None,
    as_json: bool,
    **world_options: Any,
) -> None:
    """Say what a burst will need: instances, time and the whole bill, and what a month costs without any images.

    Exit status 1 when it cannot be done in time.
    """
    deployment = _deployment()
    world = _world(deployment, **world_options)
    try:
        prices = Prices() if prices_file is None else Prices.load(prices_file)
    except PricesError as error:
        raise click.ClickException(str(error)) from error
    maximum = max_workers or deployment.maximum
    try:
        found = estimate(images, within * 60, world, maximum)
    except UnansweredError as error:
        raise click.ClickException(str(error)) from error
    outcome = found.outcome
    fleet = Fleet(outcome.cost, outcome.cost / world.price, outcome.finished + world.idle)
    burst_bill = of_burst(Uploads(images, image_kilobytes * 1000, retention_days), fleet, prices)
    month_bill = of_month(deployment.kept, prices)
    if as_json:
        bills = {"bill": burst_bill.to_dict(), "month": month_bill.to_dict()}
        click.echo(json.dumps({**asdict(found), **bills}, indent=2))
    else:
        _print_estimate(found, burst_bill, month_bill, image_kilobytes)
    if not found.in_time:
        raise click.ClickException(
            f"it cannot be done within {within:g} minutes: no more than {maximum} at once are allowed"
        )


def _print_estimate(found: Estimate, burst_bill: Bill, month_bill: Bill, image_kilobytes: float) -> None:
    images = found.outcome.images
    click.echo(
        f"{found.instances} instance{'s' * (found.instances != 1)}: the last of {images:,} images is answered after"
        f" {found.outcome.finished / 60:.1f} minutes, for {burst_bill.total:.2f} US dollars, EC2's part of which is"
        f" {found.outcome.cost:.2f} (NOVABURST_IMAGES_PER_WORKER={found.images_per_worker})"
    )
    Console().print(
        bill_table(f"this burst, {image_kilobytes:g} KB an image", burst_bill),
        bill_table("each month, before any image", month_bill),
    )
    click.echo(_NOT_IN_IT)


def _world(deployment: _Deployment, **options: Any) -> World:
    bounds = options.pop("boot_seconds")
    if bounds[0] > bounds[1]:
        raise click.BadParameter("the lower bound comes first", param_hint="--boot-seconds")
    return replace(World(price=deployment.price), boot=bounds, **options)
