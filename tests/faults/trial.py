"""The account itself on trial: a run of the system with one thing broken in it, which the account must notice."""

import random
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from local_cloud.machine import WORKER_COMMAND
from tests.faults.broken.broken_variants import FOLDER, VARIANTS
from tests.faults.run import Fleet, judge, mixed_files, send_and_follow, system

_IMAGES = 20
# Until a client gives up: a sound system needs two minutes after the strikes, a broken one answers all that it will.
_SOUND_PATIENCE_SECONDS = 300.0
_BROKEN_PATIENCE_SECONDS = 45.0


@dataclass(frozen=True)
class Verdict:
    """What the account said of a variant, and whether it was right."""

    wrong: list[str]
    right: bool


def try_variant(name: str, folder: Path) -> Verdict:
    """Run the system as this variant, without other faults, and hear the account."""
    variant = VARIANTS[name]
    strikes = folder / "strikes"
    strikes.mkdir(parents=True)
    environment = {"PYTHONPATH": str(FOLDER), "NOVABURST_VARIANT": name, "NOVABURST_STRIKES": str(strikes)}
    # An instance has an environment of its own.
    worker = ["env", *(f"{key}={value}" for key, value in environment.items()), *WORKER_COMMAND]
    aws = [sys.executable, "-m", "local_cloud.server", "--worker-command", shlex.join(worker)]
    patience = _BROKEN_PATIENCE_SECONDS if variant.noticed else _SOUND_PATIENCE_SECONDS
    with system(folder / "state", aws, environment) as (cloud, address):
        fleet = Fleet(address)
        wrong = judge(address, send_and_follow(cloud.url, mixed_files(_IMAGES, random.Random(0)), patience), fleet)
    if variant.noticed is None:
        return Verdict(wrong, not wrong)
    return Verdict(wrong, any(re.search(variant.noticed, line) for line in wrong))
