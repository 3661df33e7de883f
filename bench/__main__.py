"""`python -m bench [NAME ...]`: runs the named benchmarks, or all of them. `peers` has options and names of its own."""

import importlib
import sys

NAMES = ("fleet", "latency", "peers", "uploads", "uploads_memory", "wake", "worker")


def main() -> None:
    """Run each benchmark in turn."""
    if sys.argv[1:2] == ["peers"]:
        importlib.import_module("bench.peers.command").command(sys.argv[2:], prog_name="python -m bench peers")
    chosen = sys.argv[1:] or NAMES
    for name in chosen:
        if name not in NAMES:
            raise SystemExit(f"no benchmark {name!r}; there are: {', '.join(NAMES)}")
    for name in chosen:
        importlib.import_module(f"bench.{name}").main()


main()
