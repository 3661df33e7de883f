"""`python -m worker_ami.bake --out DIR`: make the model folder that the worker serves."""

import time
from pathlib import Path

import click

from worker_ami.bake.folder import make_once
from worker_ami.worker.model import ONNX_FILE, TORCH_FILE


@click.command()
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The model folder.")
@click.option("--with-torch", is_flag=True, help=f"Also write {TORCH_FILE}, which the torch engine serves.")
def main(out: Path, with_torch: bool) -> None:
    """Export EfficientNet-Lite0 to ONNX, prove the export, and store it with its labels and its definition."""
    began = time.monotonic()

    def say(text: str) -> None:
        click.echo(f"{time.monotonic() - began:5.1f} s  {text}")

    def make(folder: Path) -> None:
        say("loading torch")
        # Here and not above: an intact folder must cost no import of torch.
        from worker_ami.bake.recipe import make as make_folder  # noqa: PLC0415

        make_folder(folder, with_torch=with_torch, say=say)

    needs = (ONNX_FILE, TORCH_FILE) if with_torch else (ONNX_FILE,)
    make_once(out.resolve(), make, needs=needs, say=say)


if __name__ == "__main__":
    main()
