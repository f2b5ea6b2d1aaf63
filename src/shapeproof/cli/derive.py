"""``shapeproof derive``: the derivation of a model, proved."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from shapeproof.derivation.model import Derivation

FORMATS = ("text", "markdown", "json", "html", "svg", "png", "mermaid", "dot")
STATUS = {"proved": 0, "incomplete": 0, "failed": 1, "mismatch": 1}


@click.command("derive")
@click.argument("target")
@click.option("--input", "inputs", multiple=True, metavar="SPEC", help="An input, such as N,1,28,28; once for each.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A constructor argument.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Write to this file instead of the terminal.")
@click.option("--train", is_flag=True, help="Derive in training mode instead of eval mode.")
def command(
    target: str,
    inputs: tuple[str, ...],
    settings: tuple[str, ...],
    form: str,
    output: Path | None,
    train: bool,
) -> int:
    """Derive every shape of TARGET by formula, and compare each with PyTorch.

    TARGET is two-stage, four-stage, FILE.py:NAME or PACKAGE.MODULE:NAME.
    """
    if output is not None and not output.parent.is_dir():
        raise click.UsageError(f"--output {output}: the folder {output.parent} does not exist")
    if form == "png" and output is None:
        raise click.UsageError("--format png: a picture is no text for the terminal; give --output FILE.png")
    derivation = _derive(target, inputs, settings, train)
    _show(derivation, form, output)
    return STATUS[derivation.verdict]


def _derive(target: str, inputs: tuple[str, ...], settings: tuple[str, ...], train: bool) -> Derivation:
    from torch import nn  # here, so that --help loads no torch

    from shapeproof.capture.spec import parse
    from shapeproof.derivation.derive import derive
    from shapeproof.derivation.inputs import likely
    from shapeproof.models.target import load, settings_of

    for text in inputs:
        parse(text)
    model = load(target, settings_of(settings))
    if isinstance(model, nn.Module):
        model.train(train)
    if not inputs:
        inputs = (likely(model),)
        click.echo(f"no --input given: trying {inputs[0]}", err=True)
    return derive(model, *inputs)


def _show(derivation: Derivation, form: str, output: Path | None) -> None:
    from shapeproof.files import write_whole

    if output is None and form == "text" and sys.stdout.isatty():
        from rich.console import Console

        Console().print(derivation)
        return
    width = max(60, shutil.get_terminal_size((110, 24)).columns)
    text = derivation.to_text(width) if form == "text" else derivation.render(form)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_whole(output, text)
