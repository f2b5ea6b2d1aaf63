"""A derivation as a table on the terminal or in plain text."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shapeproof.derivation.model import Derivation
from shapeproof.render.view import View, rows
from shapeproof.render.words import summary, title

_STYLES = {"proved": "green", "mismatch": "bold red", "unsupported": "yellow", "failed": "bold red"}
_JUSTIFIED: dict[str, Any] = {
    "PyTorch": "center",
    **dict.fromkeys(("parameters", "macs", "flops", "bytes", "kept"), "right"),
}


def renderables(derivation: Derivation, view: View | None = None) -> Iterator[Any]:
    """The parts that rich shows: the table, then the lines below it."""
    view = view or View()
    table = Table(title=Text(title(derivation)), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in view.columns:
        table.add_column(name, overflow="fold", ratio=None, justify=_JUSTIFIED.get(name, "left"))
    for row in rows(derivation, view):
        cells = [Text(cell) for cell in row.cells]
        if "PyTorch" in view.columns:
            cells[view.columns.index("PyTorch")].stylize(_STYLES[row.verdict])
        table.add_row(*cells)
    yield table
    for place, line in enumerate(summary(derivation)):
        yield Text(line, style=_STYLES.get(derivation.verdict, "green" if not place else "") if not place else "")


def render(derivation: Derivation, width: int = 110, view: View | None = None) -> str:
    """The same as plain text, at most ``width`` columns wide, without colours or spaces at line ends."""
    target = io.StringIO()
    console = Console(file=target, width=width, force_terminal=False, color_system=None, legacy_windows=False)
    for part in renderables(derivation, view):
        console.print(part)
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines()).strip() + "\n"
