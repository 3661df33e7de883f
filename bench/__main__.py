"""`python -m bench [NAME ...]`: runs the named benchmarks, or all of them."""

import importlib
import sys

NAMES = ("fleet", "latency", "uploads", "uploads_memory", "wake", "worker")


def main() -> None:
    """Run each benchmark in turn."""
    chosen = sys.argv[1:] or NAMES
    for name in chosen:
        if name not in NAMES:
            raise SystemExit(f"no benchmark {name!r}; there are: {', '.join(NAMES)}")
    for name in chosen:
        importlib.import_module(f"bench.{name}").main()


main()
