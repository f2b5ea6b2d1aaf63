"""``shapeproof export``: ONNX or a ``torch.export`` archive, checked against PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from shapeproof.data.dataset import Pictures
    from shapeproof.training.run import Run

FORMS = (".onnx", ".pt2")
RANDOM = 1000  # pictures compared where the test set cannot be had


@click.command("export")
@click.argument("run", default="pretrained", metavar="[RUN]")
@click.option("--output", required=True, type=click.Path(path_type=Path), metavar="FILE", help="FILE.onnx or FILE.pt2.")
@click.option("--data-root", type=click.Path(path_type=Path), help="Where data sets lie.")
def command(run: str, output: Path, data_root: Path | None) -> int:
    """Export the network of RUN, with a dynamic batch, and height and width as far as they may go.

    RUN is a run directory, or `pretrained` for the network that shapeproof ships. The file is compared with PyTorch
    on the run's whole test set before it is written.
    """
    if output.suffix not in FORMS:
        raise click.UsageError(f"--output {output}: give a name that ends in .onnx or .pt2")
    if not output.parent.is_dir():
        raise click.UsageError(f"--output {output}: the folder {output.parent} does not exist")
    if output.is_dir():
        raise click.UsageError(f"--output {output} is a folder; give the name of a file")
    from shapeproof.serving.opening import need, open_run

    need("train", "numpy", "safetensors")
    if output.suffix == ".onnx":
        need("onnx", "onnx", "onnxscript", "onnxruntime")
    from shapeproof.serving.exporting import DifferentError, describe, export

    opened = open_run(run)
    pictures, told = _pictures(opened, data_root)
    try:
        for line in describe(export(opened, output, pictures, told)):
            click.echo(line)
    except DifferentError as error:
        click.echo(f"shapeproof: {error}", err=True)
        return 1
    return 0


def _pictures(run: Run, root: Path | None) -> tuple[Pictures, str]:
    """The run's test pictures; where they cannot be had, random ones, and that is said."""
    import torch

    from shapeproof.errors import UsageError

    try:
        data = run.load_data(run.record["data"]["name"], root)
    except UsageError as error:
        click.echo(f"the run's test set cannot be had ({error}); comparing on random pictures", err=True)
        stored = (run.preparation.channels, run.preparation.height, run.preparation.width)
        generator = torch.Generator().manual_seed(0)
        return torch.randint(0, 256, (RANDOM, *stored), dtype=torch.uint8, generator=generator), "random"
    return data.test_images, f"the whole test set of {data.name}"
