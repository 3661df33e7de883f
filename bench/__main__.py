"""`python -m bench [--quick] [NAME ...]`: runs the named benchmarks, or all, and writes each into `bench/RESULTS.md`.

`load` and `peers` have options of their own: `python -m bench load --help`; what these print is not written.
"""

import contextlib
import importlib
import io
import sys
import traceback

import click

from bench.results import record

# Each is a module of that name with `main(*, quick)`, which prints its tables, or a command; and its section's title.
TITLES = {
    "seed": "The seed's table",
    "reality": "The model beside the embedded AWS",
    "policies": "Ways of scaling, by the model",
    "fleet": "A burst from zero, by policy",
    "wake": "Ways of waking the Lambda",
    "latency": "One photo through the whole system",
    "worker": "The worker",
    "uploads": "Uploads",
    "listening": "Taking results in",
    "uploads_memory": "Memory while uploading",
    "requests": "What an image asks of AWS",
    "load": "Many clients for minutes",
    "peers": "Peers on the same machine",
}
# Those with options of their own, among them --quick.
_COMMANDS = {"load": "bench.load", "peers": "bench.peers.command"}


# What writes its own section when it ran in full.
_WRITES = ("peers",)


class _Tee(io.StringIO):
    """Keeps what is printed, and shows it."""

    def write(self, text: str) -> int:
        sys.__stdout__.write(text)  # type: ignore[union-attr] # there is one
        return super().write(text)


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(list(TITLES)), metavar="[NAME]...")
@click.option("--quick", is_flag=True, help="The short form of each.")
def main(names: tuple[str, ...], quick: bool) -> None:
    """Run them in turn; one that fails keeps its old section, and the exit status is 1."""
    failed = []
    for name in names or TITLES:
        printed = _Tee()
        try:
            with contextlib.redirect_stdout(printed):
                _run(name, quick=quick)
        # The others are of use all the same.
        except Exception:
            traceback.print_exc()
            failed.append(name)
            continue
        if quick or name not in _WRITES:
            record(TITLES[name], f"python -m bench {'--quick ' * quick}{name}", printed.getvalue())
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def _run(name: str, *, quick: bool) -> None:
    if name in _COMMANDS:
        command: click.Command = importlib.import_module(_COMMANDS[name]).command
        command(["--quick"] if quick else [], standalone_mode=False)
    else:
        importlib.import_module(f"bench.{name}").main(quick=quick)


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in _COMMANDS and sys.argv[2:]:
        options = importlib.import_module(_COMMANDS[sys.argv[1]]).command
        options(sys.argv[2:], prog_name=f"python -m bench {sys.argv[1]}")
    main(prog_name="python -m bench")
