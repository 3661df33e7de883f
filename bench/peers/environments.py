"""The peers' own virtual environments, made from their pinned requirements and kept while these stay the same."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.peers.model import MODEL_VARIABLE
from bench.peers.parts import PROJECT

CORES = len(os.sched_getaffinity(0))
FOLDER = PROJECT / ".novaburst" / "peers"
_SHARED = PROJECT / "bench" / "peers" / "model-requirements.txt"
_STAMP = "requirements.sha256"
_INSTALL_SECONDS = 900


class PeerMissingError(Exception):
    """A peer that cannot be tried on this machine; the text says what is missing and what to do."""


def environment(name: str) -> Path:
    """The folder of a peer's commands (`bin`), installed if need be.

    Raises:
        PeerMissingError: its requirements could not be installed.
    """
    folder, requirements = FOLDER / name, PROJECT / "bench" / "peers" / name / "requirements.txt"
    wanted = hashlib.sha256(requirements.read_bytes() + _SHARED.read_bytes()).hexdigest()
    stamp = folder / _STAMP
    if not stamp.exists() or stamp.read_text() != wanted:
        sys.stderr.write(f"installing {name} into {folder.relative_to(PROJECT)}\n")
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)], name)
        pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--requirement", str(requirements)], name)
        stamp.write_text(wanted)
    return folder / "bin"


def variables(bin_folder: Path, model: Path, folder: Path) -> dict[str, str]:
    """The environment of a peer's servers: its commands, the project's modules, the model, and a thread a process.

    Whatever they leave behind when they are killed lies in `folder`.
    """
    return {
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(PROJECT),
        MODEL_VARIABLE: str(model),
        "OMP_NUM_THREADS": "1",
    }


def executable(name: str, package: str) -> str:
    """The path of a program that the system provides.

    Raises:
        PeerMissingError: it is not installed.
    """
    found = shutil.which(name)
    if found is None:
        raise PeerMissingError(f"{name} is not installed (Debian and Ubuntu: apt-get install {package})")
    return found


def _run(command: list[str], name: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
    if done.returncode:
        raise PeerMissingError(f"{name} could not be installed: {done.stderr.strip()[-300:]}")
