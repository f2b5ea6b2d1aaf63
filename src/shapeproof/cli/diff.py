"""``shapeproof diff``: two derivations lined up, and where they part."""

from __future__ import annotations

import shutil
import sys

import click


@click.command("diff")
@click.argument("first", metavar="A")
@click.argument("second", metavar="[B]", required=False)
@click.option("--input", "inputs", multiple=True, metavar="SPEC", help="An input of both; once for each.")
@click.option("--input-b", "inputs_b", multiple=True, metavar="SPEC", help="An input of B instead.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A constructor argument of both.")
@click.option("--set-b", "settings_b", multiple=True, metavar="KEY=VALUE", help="A constructor argument of B alone.")
@click.option("--train", is_flag=True, help="Derive in training mode instead of eval mode.")
def command(
    first: str,
    second: str | None,
    inputs: tuple[str, ...],
    inputs_b: tuple[str, ...],
    settings: tuple[str, ...],
    settings_b: tuple[str, ...],
    train: bool,
) -> int:
    """Line up the derivations of the targets A and B and show where they part.

    Without B, A is compared with itself on another input (--input-b) or made with other arguments (--set-b).
    The exit status is 0 where all steps are alike, else 1.
    """
    if second is None and not inputs_b and not settings_b:
        raise click.UsageError("there is nothing to compare: give B, --input-b or --set-b")
    from rich.console import Console

    from shapeproof.cli.deriving import derive_target
    from shapeproof.derivation.compare import lined_up, parting
    from shapeproof.render.comparison import renderables

    a = derive_target(first, inputs, settings, train)
    b = derive_target(second or first, inputs_b or inputs, (*settings, *settings_b), train)
    # a pipe gets plain text as wide as the terminal, as from derive
    plain = not sys.stdout.isatty()
    width = max(60, shutil.get_terminal_size((110, 24)).columns) if plain else None
    console = Console(width=width, color_system=None if plain else "auto")
    for part in renderables(a, b):
        console.print(part)
    return 0 if parting(lined_up(a, b)) is None else 1
