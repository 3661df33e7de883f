"""`novaburst submit` as tests call it: in this process, or as one of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from click.testing import CliRunner

from novaburst.cli import main
from tests.unit.novaburst.conftest import PlayedTier

NOVABURST = Path(sys.executable).with_name("novaburst")


def journals(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "state").rglob("*.sqlite3"))


def submit(tier: PlayedTier, *arguments: str | Path) -> Any:
    return CliRunner().invoke(main, ["submit", "--url", tier.url, *map(str, arguments)])


def command(
    tier: PlayedTier,
    *arguments: str | Path,
    obeying: bool = False,
    stdout: int | IO[str] = subprocess.PIPE,
    **environment: str,
) -> "subprocess.Popen[str]":
    """The command as a process; `obeying` the modes of files, even as root."""
    modes = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if obeying and os.geteuid() == 0 else []
    return subprocess.Popen(
        [*modes, NOVABURST, "submit", "--url", tier.url, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1", **environment},
    )
