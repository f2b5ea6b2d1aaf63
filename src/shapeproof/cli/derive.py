"""``shapeproof derive``: the derivation of a model, proved."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from shapeproof.derivation.model import Derivation
    from shapeproof.render.view import View

FORMATS = ("text", "markdown", "latex", "json", "html", "svg", "png", "mermaid", "dot", "diff")
STATUS = {"proved": 0, "incomplete": 0, "failed": 1, "mismatch": 1}


@click.command("derive")
@click.argument("target")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="SPEC",
    help="An input, such as N,1,28,28; once for each, in order or by name: mask:N,5.",
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A constructor argument.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Write to this file instead of the terminal.")
@click.option("--train", is_flag=True, help="Derive in training mode instead of eval mode.")
@click.option("--depth", type=int, metavar="N", help="Show modules deeper than this as one row each.")
@click.option("--only", multiple=True, metavar="GLOB", help="Show these modules or operations, such as layer1.")
@click.option("--columns", metavar="NAMES", help="Show these columns, such as module,output,macs,field.")
@click.option("--kept", is_flag=True, help="Tell also what backward keeps, as a column or in the JSON.")
@click.option("--all", "whole", is_flag=True, help="Show every step, also of blocks that are alike.")
def command(
    target: str,
    inputs: tuple[str, ...],
    settings: tuple[str, ...],
    form: str,
    output: Path | None,
    train: bool,
    depth: int | None,
    only: tuple[str, ...],
    columns: str | None,
    kept: bool,
    whole: bool,
) -> int:
    """Derive every shape of TARGET by formula, and compare each with PyTorch.

    TARGET is two-stage, four-stage, FILE.py:NAME or PACKAGE.MODULE:NAME. Columns are module, operation, arithmetic,
    output, PyTorch, formula, inputs, source, parameters, macs, flops, bytes (of the results), kept (bytes that backward
    keeps), field (the receptive field), requires.
    """
    if output is not None and not output.parent.is_dir():
        raise click.UsageError(f"--output {output}: the folder {output.parent} does not exist")
    if form == "png" and output is None:
        raise click.UsageError("--format png: a picture is no text for the terminal; give --output FILE.png")
    from shapeproof.cli.deriving import derive_target
    from shapeproof.render.view import View

    named = {"columns": tuple(name.strip() for name in columns.split(","))} if columns else {}
    view = View(depth=depth, only=only, whole=whole, **named)
    if form not in ("text", "markdown") and view != View():
        raise click.UsageError(f"--format {form} shows everything; --depth, --only, --columns and --all go with text")
    if kept and form not in ("text", "markdown", "json"):
        raise click.UsageError(f"--kept goes with text, markdown and json, not with {form}")
    derivation = derive_target(target, inputs, settings, train)
    if kept and derivation.kept and "kept" not in view.columns:
        view = replace(view, columns=(*view.columns, "kept"))
    _show(derivation, form, output, view)
    return STATUS[derivation.verdict]


def _show(derivation: Derivation, form: str, output: Path | None, view: View) -> None:
    from shapeproof.files import write_whole
    from shapeproof.render.diff import why_none

    if output is None and form == "text" and sys.stdout.isatty():
        from rich.console import Console

        from shapeproof.render.text import renderables

        console = Console()
        for part in renderables(derivation, view):
            console.print(part)
        return
    if form == "diff" and (reason := why_none(derivation)):
        click.echo(reason, err=True)
        return
    width = max(60, shutil.get_terminal_size((110, 24)).columns)
    if form == "text":
        text = derivation.to_text(width, view)
    else:
        text = derivation.to_markdown(view) if form == "markdown" else derivation.render(form)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_whole(output, text)
