"""The long soak, by hand: `python -m tests.soak [--images 2000] [--workers 2] [--kills 20] [--seed 1]`.

Two thousand images with every kind of bad input among them, SQS failing or slow in 6 % of its calls, and workers killed
at random: about four minutes on two cores. It prints an account and ends with status 1 when an image was answered
wrongly, contradictorily or not at all, or when a message is left. With `--kills 0 --aborts 0 --hangs 0 --workers 1
--faults 0` the memory of the one worker is the thing to look at.
"""

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from tests.soak.cloud import running_cloud
from tests.soak.content import uploads
from tests.soak.soak import Workers, soak


@click.command(help=__doc__)
@click.option("--images", default=2000)
@click.option("--workers", default=2)
@click.option("--kills", default=20)
@click.option("--aborts", default=10)
@click.option("--hangs", default=4)
@click.option("--faults", default=0.02, help="The share of SQS calls that fail before, after, or are slow.")
@click.option("--seed", default=1)
@click.option("--patience", default=1800.0, help="Seconds.")
def main(images: int, workers: int, seed: int, patience: float, **troubles: Any) -> None:
    """Run it once."""
    dice = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="novaburst-soak-"))
    click.echo(f"logs in {folder}")
    with running_cloud(folder) as cloud:
        crowd = Workers(cloud, workers, folder, SQS_FAULTS=str(troubles["faults"]))
        try:
            mixed = uploads(images, troubles["aborts"], troubles["hangs"], dice)
            began = time.monotonic()
            report = soak(cloud, mixed, crowd, kills=troubles["kills"], patience=patience, dice=dice)
        finally:
            crowd.end()
    click.echo(f"{images} images in {time.monotonic() - began:.0f} s")
    for name, value in vars(report).items():
        click.echo(f"{name}: {value}")
    left = report.held or report.waiting or report.dead
    sys.exit(1 if report.wrong or report.contradictions or left or any(report.statuses) else 0)


if __name__ == "__main__":
    main()
