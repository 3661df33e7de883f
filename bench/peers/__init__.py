"""Other ways to serve the same model on the same machine, and ours, behind one client: `python -m bench peers`.

The servers run in environments of their own, where little of the project can be imported: this file imports nothing.
"""


def main() -> None:
    """The whole measurement, as `python -m bench` runs it."""
    from bench.peers.command import measure_all  # noqa: PLC0415

    measure_all(quick=False)
