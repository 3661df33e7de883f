"""What the worker's pipeline makes of its stages with each engine, and what the obvious loop makes of them.

The worker has one core and a light stand-in for AWS the other; each of its calls takes 30 ms, as S3's and SQS's do.
The bound is one core's: an image costs the sum of its CPU stages, and everything else should hide behind them.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.table import Table

from bench.worker_models import LITE0, RESNET18, bake_models
from bench.worker_run import PROJECT, WORKER, Cores, Seen, embedded_aws, fill, light_aws, run
from worker_ami.worker.engines import EngineName

KINDS = ("500x375", "12 MP")
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
LATENCY_MS = 30
SECONDS, QUICK_SECONDS = 12.0, 5.0
# More than the fastest run answers.
MESSAGES = 4000
# moto keeps every message in one list, which it goes through at each receive.
_MOTO_MESSAGES = 1500
_LOOP = (sys.executable, "-m", "bench.worker_loop")
_BAREST = (sys.executable, "-m", "bench.worker_barest")
_ONE, _BOTH = Cores(), Cores((0, 1), (0, 1))


@dataclass(frozen=True)
class Way:
    """One row of the table."""

    name: str
    command: Sequence[str] = WORKER
    kind: str = KINDS[0]
    cores: Cores = _ONE
    model: Path = LITE0
    engine: EngineName = "onnxruntime"
    moto: bool = False


WAYS = (
    Way("pipeline"),
    Way("nothing but computing", (*_BAREST, "computing")),
    Way("the barest calls", (*_BAREST, "calls")),
    Way("pipeline", kind=KINDS[1]),
    Way("pipeline", cores=_BOTH),
    Way("pipeline, moto instead", moto=True),
    *(Way(f"pipeline, {engine}", engine=engine) for engine in ENGINES[1:]),
    Way("pipeline, ResNet-18", model=RESNET18),
    Way("hand-written loop", (*_LOOP, "efficientnet_lite0")),
    Way("hand-written loop, ResNet-18", (*_LOOP, "resnet18"), model=RESNET18),
)


def stages(model: Path, core: int, engines: Sequence[EngineName]) -> dict[str, float]:
    """CPU milliseconds of each stage alone, on that core."""
    order = json.dumps([str(model), KINDS, engines])
    command = ["taskset", "-c", str(core), sys.executable, "-m", "bench.worker_stages", order]
    costs: dict[str, float] = json.loads(subprocess.run(command, cwd=PROJECT, check=True, capture_output=True).stdout)
    return costs


def measure(way: Way, seconds: float) -> Seen:
    """One run from a full queue."""
    stand_in = embedded_aws(way.cores) if way.moto else light_aws(way.cores, LATENCY_MS)
    with stand_in as (aws, environment):
        fill(environment, way.kind, _MOTO_MESSAGES if way.moto else MESSAGES)
        settings = {"NOVABURST_MODEL_DIR": str(way.model), "NOVABURST_ENGINE": way.engine}
        return run(way.command, aws, environment | settings, way.cores, seconds)


def main(*, quick: bool) -> None:
    """Measure and print the two tables; the quick form is the first way, for a shorter time."""
    bake_models()
    table = Table(
        *("worker", "photos", "cores", "images/s", "of the bound", "CPU ms an image", "AWS's CPU ms", "peak MiB"),
        "first result, s",
    )
    for way in WAYS[:1] if quick else WAYS:
        seen = measure(way, QUICK_SECONDS if quick else SECONDS)
        # Beside each run, since the machine drifts by a third.
        costs = stages(way.model, way.cores.worker[0], [way.engine])
        bound = 1000 * len(way.cores.worker) / (costs[way.kind] + costs[way.engine])
        row = (
            *(way.name, way.kind, str(len(way.cores.worker)), f"{seen.images_per_second:.1f}"),
            f"{seen.images_per_second / bound:.2f}",
            *(f"{figure:.1f}" for figure in (seen.worker_ms, seen.aws_ms, seen.peak_mib, seen.first_result_seconds)),
        )
        sys.stderr.write("  ".join(row) + "\n")
        table.add_row(*row)
    alone = Table("stage alone, one thread", "CPU ms an image")
    for name, cost in stages(LITE0, _ONE.worker[0], ENGINES).items():
        alone.add_row(name, f"{cost:.1f}")
    Console(width=140).print(alone, table)
