"""`python -m worker_ami.bake --out DIR`: make the model folder that the worker serves."""

import time
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from worker_ami.bake.folder import make_once
from worker_ami.bake.order import COURSE, DEFAULT_MODEL, Order, OrderError
from worker_ami.bake.proof import ProofError
from worker_ami.worker.model import INT8_FILE, ONNX_FILE, TORCH_FILE, Preprocessing

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The model folder.")
@click.option("--with-torch", is_flag=True, help=f"Also write {TORCH_FILE}, which the torch engine serves.")
@click.option(
    "--int8",
    type=_FOLDER,
    help=f"Also write {INT8_FILE}, calibrated and judged with the photos below this folder; "
    "one in a folder named as a label, or as a class's index, is judged by that.",
)
@click.option("--model", help=f"{DEFAULT_MODEL} (the default), {COURSE}, or a classification model of torchvision's.")
@click.option("--weights", type=_FILE, help="A state dict for the model, instead of torchvision's own weights.")
@click.option("--program", type=_FILE, help="A torch.export'ed program, instead of a model.")
@click.option("--sha256", help="The SHA-256 that the weights or the program must have.")
@click.option("--labels", type=_FILE, help="The classes' names: a line each, a JSON list, or a JSON object by index.")
@click.option("--preprocessing", help="JSON, as in model.json: resize, crop, interpolation, mean, std (0 to 255).")
def main(out: Path, with_torch: bool, int8: Path | None, preprocessing: str | None, **asked: Any) -> None:
    """Export a model to ONNX, prove the export, and store it with its labels and its definition."""
    began = time.monotonic()

    def say(text: str) -> None:
        click.echo(f"{time.monotonic() - began:5.1f} s  {text}")

    try:
        own = Preprocessing.model_validate_json(preprocessing) if preprocessing else None
        order = Order(preprocessing=own, **asked)
        order.check()

        def make(folder: Path) -> None:
            say("loading torch")
            # Here and not above: an intact folder must cost no import of torch.
            from worker_ami.bake.recipe import make as make_folder  # noqa: PLC0415

            make_folder(folder, order, with_torch=with_torch, int8_photos=int8, say=say)

        needs = [ONNX_FILE, *([TORCH_FILE] if with_torch else []), *([INT8_FILE] if int8 else [])]
        make_once(out.resolve(), make, needs=needs, wanted=order.is_met_by, say=say)
    except (OrderError, ProofError, ValidationError) as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
