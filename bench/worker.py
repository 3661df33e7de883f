"""What the worker's pipeline makes of its stages, and what the obvious loop makes of them; on one core, then on both.

The worker has one core and a light stand-in for AWS the other; each of its calls takes 30 ms, as S3's and SQS's do.
The bound is one core's: an image costs the sum of its CPU stages, and everything else should hide behind them.
"""

import json
import subprocess
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench.worker_run import PROJECT, WORKER, Cores, Seen, fill, light_aws, run

MODEL = PROJECT / ".novaburst" / "models" / "efficientnet_lite0"
KINDS = ("500x375", "12 MP")
ENGINES = ("onnxruntime",)
LATENCY_MS = 30
SECONDS = 12.0
# More than the fastest run answers.
MESSAGES = 4000
_LOOP = (sys.executable, "-m", "bench.worker_loop")


def stages(core: int) -> dict[str, float]:
    """CPU milliseconds of each stage alone, on that core."""
    order = json.dumps([str(MODEL), KINDS, ENGINES])
    command = ["taskset", "-c", str(core), sys.executable, "-m", "bench.worker_stages", order]
    costs: dict[str, float] = json.loads(subprocess.run(command, cwd=PROJECT, check=True, capture_output=True).stdout)
    return costs


def measure(command: Sequence[str], kind: str, cores: Cores) -> Seen:
    """One run from a full queue."""
    with light_aws(cores, LATENCY_MS) as (aws, environment):
        fill(environment, kind, MESSAGES)
        return run(command, aws, {**environment, "NOVABURST_MODEL_DIR": str(MODEL)}, cores, SECONDS)


def main() -> None:
    """Measure and print the two tables."""
    if not MODEL.exists():
        subprocess.run([sys.executable, "-m", "worker_ami.bake", "--out", str(MODEL)], cwd=PROJECT, check=True)
    one, both = Cores(), Cores((0, 1), (0, 1))
    costs = stages(one.worker[0])
    alone = Table("stage alone, one thread", "CPU ms an image")
    for name, cost in costs.items():
        alone.add_row(name, f"{cost:.1f}")
    table = Table(
        *("worker", "photos", "cores", "images/s", "of the bound", "CPU ms an image", "AWS's CPU ms", "peak MiB"),
        "first result, s",
    )
    ways = [("pipeline", WORKER, kind, one) for kind in KINDS]
    ways += [("pipeline", WORKER, KINDS[0], both)]
    ways += [
        (f"hand-written loop, {model}", (*_LOOP, model), KINDS[0], one) for model in ("efficientnet_lite0", "resnet18")
    ]
    for name, command, kind, cores in ways:
        seen = measure(command, kind, cores)
        # The stages are those of the default model: what another one could do at best they do not say.
        bound = None if name.endswith("resnet18") else 1000 * len(cores.worker) / (costs[kind] + costs[ENGINES[0]])
        row = (
            *(name, kind, str(len(cores.worker)), f"{seen.images_per_second:.1f}"),
            "" if bound is None else f"{seen.images_per_second / bound:.2f}",
            *(f"{figure:.1f}" for figure in (seen.worker_ms, seen.aws_ms, seen.peak_mib, seen.first_result_seconds)),
        )
        sys.stderr.write("  ".join(row) + "\n")
        table.add_row(*row)
    Console(width=140).print(alone, table)
