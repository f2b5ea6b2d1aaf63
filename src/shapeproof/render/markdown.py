"""A derivation as a Markdown table."""

from __future__ import annotations

from shapeproof.derivation.model import Derivation
from shapeproof.render.words import COLUMNS, row, summary, title


def render(derivation: Derivation) -> str:
    """A heading, the table, and the lines below it; sizes and formulas as code."""
    lines = [f"## {_plain(title(derivation))}", "", _cells(COLUMNS), _cells(["---"] * len(COLUMNS))]
    for step in derivation.steps:
        module, op, arithmetic, output, mark = row(step, derivation)
        parts = "<br>".join(f"`{part}`" if "=" in part else _plain(part) for part in arithmetic.split("\n"))
        lines.append(_cells([f"`{module}`", f"`{op}`", parts, f"`{output}`", mark]))
    lines += ["", *[f"- {_plain(line)}" for line in summary(derivation)]]
    return "\n".join(lines) + "\n"


def _cells(cells: tuple[str, ...] | list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(text: str) -> str:
    """Text in which Markdown sees no markup of its own."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")
