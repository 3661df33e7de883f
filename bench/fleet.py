"""How long a burst takes from zero workers, by policy: the seed's own measure, 10, 50 and 100 uploads at once.

Everything is real: the course's client against the web tier, the deployed Lambda, and a worker process with the model
for each instance, on this machine's cores. Only booting is simulated, by waiting: 25 s for a new instance, 5 s for a
stopped one.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.deployment import Deployment
from tests.e2e.cloud import Cloud, started, until
from tests.e2e.course_clients import generation_2024
from tests.photos import imagenet_photos

BOOT_SECONDS = 25
IDLE_SECONDS = 8
# What the seed's README gives for each number of uploads, in minutes.
SEED_MINUTES = {10: 2.3, 50: 4.5, 100: 6.7}


@dataclass(frozen=True)
class Way:
    """One way of scaling: a name, and the Lambda's settings; some need a first burst that leaves a stopped instance."""

    name: str
    settings: Mapping[str, str]
    wake: bool = True
    standby: int = 0


_DEFAULTS = {
    "NOVABURST_POLICY": "proportional",
    "NOVABURST_IMAGES_PER_WORKER": "",
    "NOVABURST_MAX_WORKERS": "20",
    "NOVABURST_WATCH_SECONDS": "",
    "NOVABURST_STANDBY": "",
}
WAYS = (
    Way("proportional", {}),
    Way("proportional, 5 images a worker, at most 20", {"NOVABURST_IMAGES_PER_WORKER": "5"}),
    Way(
        "proportional, 5 images a worker, at most 2",
        {"NOVABURST_IMAGES_PER_WORKER": "5", "NOVABURST_MAX_WORKERS": "2"},
    ),
    Way("step, all triggers", {"NOVABURST_POLICY": "step"}),
    Way("step, once a minute (the seed's)", {"NOVABURST_POLICY": "step", "NOVABURST_WATCH_SECONDS": "0"}, wake=False),
    Way("proportional, 1 standing by", {"NOVABURST_STANDBY": "1"}, standby=1),
)


def burst(cloud: Cloud, deployment: Deployment, photos: Sequence[Path]) -> tuple[str, str, str]:
    """Upload all at once: seconds to the first call for capacity, instances, and seconds to the last answer."""
    began = time.time()
    answers = generation_2024(cloud.url, list(photos))
    took = time.time() - began
    if lost := [answer for answer in answers.values() if answer.startswith("lost")]:
        raise RuntimeError(f"{len(lost)} uploads were lost: {lost[0]}")
    asked = deployment.capacity_since(began)
    number = sum(one.launched + one.started for one in asked)
    steps = f"{number} in {len(asked)} step{'s' * (len(asked) != 1)}"
    return f"{asked[0].at - began:.1f}", steps, f"{took:.1f}"


def measured(ways: Sequence[Way], counts: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """A row for each way and number of uploads: both, then `burst`'s, then the seed's seconds."""
    photos = imagenet_photos()
    with (
        tempfile.TemporaryDirectory() as folder,
        started(
            Path(folder) / "state",
            *("--boot-seconds", str(BOOT_SECONDS), "--idle-seconds", str(IDLE_SECONDS), "--max-workers", "20"),
        ) as cloud,
    ):
        copies = [Path(folder) / f"photo_{number}.jpg" for number in range(max(SEED_MINUTES))]
        for number, copy in enumerate(copies):
            shutil.copy(photos[number % len(photos)].path, copy)
        deployment = Deployment(cloud)
        for way in ways:
            deployment.configure({**_DEFAULTS, **way.settings})
            deployment.trigger(wake=True)
            deployment.warm_up()
            if way.standby:
                burst(cloud, deployment, copies[:10])
                # With the short idle time of this benchmark the schedule's minute would come too late to choose.
                deployment.evaluate()
                until(lambda way=way: deployment.instances("stopped") == way.standby, 120)  # type: ignore[misc]
            deployment.trigger(wake=way.wake)
            for count in counts:
                deployment.wait_for_zero()
                row = (
                    way.name,
                    str(count),
                    *burst(cloud, deployment, copies[:count]),
                    f"{SEED_MINUTES[count] * 60:.0f}",
                )
                sys.stderr.write("  ".join(row) + "\n")
                yield row


def main(*, quick: bool) -> None:
    """Measure and print the table; the quick form is the default way alone, with 10 and 100."""
    table = Table("policy", "uploads", "first call, s", "instances", "last answer, s", "the seed, s")
    for row in measured(WAYS[:1], (10, 100)) if quick else measured(WAYS, tuple(SEED_MINUTES)):
        table.add_row(*row)
    Console(width=120).print(table)
