"""The model folder that `novaburst up` uses as well: made by the real bake, once in a checkout."""

import functools
import subprocess
import sys
from pathlib import Path

from worker_ami.worker.model import Model, load_model

PROJECT = Path(__file__).resolve().parents[3]
FOLDER = PROJECT / ".novaburst" / "models" / "efficientnet_lite0"


@functools.cache
def baked_model() -> Model:
    """Bake if need be (about 40 seconds), and load."""
    subprocess.run([sys.executable, "-m", "worker_ami.bake", "--out", str(FOLDER)], cwd=PROJECT, check=True)
    return load_model(FOLDER)
