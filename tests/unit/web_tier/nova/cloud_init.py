"""cloud-init's own schema, out of Debian's package, which is unpacked and never installed: it would configure this
machine at its next boot."""

import functools
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[4] / ".novaburst" / "cloud-init"
_SCHEMA = "usr/lib/python3/dist-packages/cloudinit/config/schemas/schema-cloud-config-v1.json"


@functools.cache
def schema() -> Any:
    """The schema of cloud-config, fetched once in a checkout."""
    if not FOLDER.exists():
        FOLDER.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER.parent) as made:
            folder = Path(made)
            if _apt("download", "cloud-init", folder=folder).returncode != 0:
                # What apt knows of the archive may be older than the archive.
                assert (told := _apt("update", folder=folder)).returncode == 0, told.stderr
                assert (told := _apt("download", "cloud-init", folder=folder)).returncode == 0, told.stderr
            [package] = folder.glob("cloud-init_*.deb")
            subprocess.run(["dpkg-deb", "--extract", package, folder / "unpacked"], check=True)
            (folder / "unpacked").rename(FOLDER)
    return json.loads((FOLDER / _SCHEMA).read_text())


def _apt(*words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    options = ["-qq", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3"]
    return subprocess.run(["apt-get", *options, *words], cwd=folder, capture_output=True, text=True, check=False)
