"""`python -m worker_ami.bake --out DIR`: make the model folder that the worker serves."""

import time
from pathlib import Path

import click

from worker_ami.bake.folder import bake


@click.command()
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The model folder.")
@click.option("--with-torch", is_flag=True, help="Also write model.pt2, which the torch engine serves.")
def main(out: Path, with_torch: bool) -> None:
    """Export EfficientNet-Lite0 to ONNX, prove the export, and store it with its labels and its definition."""
    began = time.monotonic()
    bake(out.resolve(), with_torch=with_torch, say=lambda text: click.echo(f"{time.monotonic() - began:5.1f} s  {text}"))


if __name__ == "__main__":
    main()
