"""A derivation as a Markdown table."""

from __future__ import annotations

from shapeproof.derivation.model import Derivation
from shapeproof.render.view import View, rows
from shapeproof.render.words import summary, title


def render(derivation: Derivation, view: View | None = None) -> str:
    """A heading, the table, and the lines below it; sizes and formulas as code."""
    view = view or View()
    lines = [f"## {_plain(title(derivation))}", "", _cells(view.columns), _cells(["---"] * len(view.columns))]
    for row in rows(derivation, view):
        lines.append(_cells([_cell(name, text) for name, text in zip(view.columns, row.cells, strict=True)]))
    lines += ["", *[f"- {_plain(line)}" for line in summary(derivation)]]
    return "\n".join(lines) + "\n"


def _cell(name: str, text: str) -> str:
    if name in ("PyTorch", "parameters", "macs", "flops", "bytes") or not text:
        return _plain(text)
    if name == "arithmetic":
        return "<br>".join(f"`{part}`" if "=" in part else _plain(part) for part in text.split("\n"))
    return f"`{text}`"


def _cells(cells: tuple[str, ...] | list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(text: str) -> str:
    """Text in which Markdown sees no markup of its own."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")
