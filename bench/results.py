"""`bench/RESULTS.md`: a section for each benchmark, with the command that made it, the machine and the date."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
_HEAD = "# Results\n\nEach section is written by the command that it names (`make bench` runs all).\n"


def record(title: str, command: str, printed: str) -> None:
    """Put what a benchmark printed in the place of its section, or at the end."""
    lines = "\n".join(line.rstrip() for line in printed.strip("\n").splitlines())
    write(f"## {title}\n\n`{command}` on {machine()}.\n\n```text\n{lines}\n```\n")


def write(section: str) -> None:
    """Put a section, from its title on, in the place of the one of that title, or at the end."""
    RESULTS.write_text(with_section(RESULTS.read_text() if RESULTS.exists() else _HEAD, section))


def with_section(document: str, text: str) -> str:
    """The document with this section in place of the one of the same title, or at its end."""
    title = text.splitlines()[0]
    before, found, rest = f"\n{document}".partition(f"\n{title}\n")
    after = f"\n{rest}".partition("\n## ")[2] if found else ""
    pieces = [before.strip("\n"), text.strip("\n"), f"## {after}".strip("\n") if after else ""]
    return "\n\n".join(piece for piece in pieces if piece) + "\n"


def machine() -> str:
    """Cores, processor, how busy it was (runnable processes in the last quarter of an hour), and the day."""
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[2]
    return f"{cores} cores ({found[1] if found else 'unknown'}, load {load:.0f}), {datetime.now(UTC):%d %B %Y}"
