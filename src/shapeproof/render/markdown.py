"""A derivation as a Markdown table."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from shapeproof.derivation.model import Derivation
from shapeproof.render.view import View, rows
from shapeproof.render.words import shape_text, summary, title
from shapeproof.render.worked import Line, Worked, worked


def render(derivation: Derivation, view: View | None = None) -> str:
    """A heading, the table, and the lines below it; sizes and formulas as code."""
    whole = view in (None, View())
    view = view or View()
    lines = [f"## {_plain(title(derivation))}", "", _cells(view.columns), _cells(["---"] * len(view.columns))]
    for row in rows(derivation, view):
        lines.append(_cells([_cell(name, text) for name, text in zip(view.columns, row.cells, strict=True)]))
    lines += ["", *_listed(summary(derivation))]
    if whole:
        lines += ["", "### Step by step", ""]
        lines += [_worked(place, found) for place, found in enumerate(worked(derivation), 1)]
    return "\n".join(lines) + "\n"


def _cell(name: str, text: str) -> str:
    if name in ("PyTorch", "parameters", "macs", "flops", "bytes", "kept") or not text:
        return _plain(text)
    if name == "arithmetic":
        return "<br>".join(f"`{part}`" if "=" in part else _plain(part) for part in text.split("\n"))
    return f"`{text}`"


def _listed(lines: list[str]) -> Iterator[str]:
    """Each line as an item; lines that are indented, which are source, in a block of their own below their item."""
    for source, group in itertools.groupby(lines, key=lambda line: line.startswith("  ")):
        if source:
            yield from ("  ```text", *group, "  ```")
        else:
            yield from (f"- {_plain(line)}" for line in group)


def _worked(place: int, found: Worked) -> str:
    """One step as a numbered item: the formula, the values put in, the result."""
    step = found.step
    head = f"{place}. `{step.module or '(model)'}`, `{step.op}`: "
    if found.kept:
        return f"{head}the shape stays `{shape_text(step.output)}`"
    lines = [_line(line) for line in found.lines] or [f"`{found.says}`"]
    return f"{head}{'; '.join(lines)}; output `{shape_text(step.output)}`"


def _line(line: Line) -> str:
    given = ", ".join(f"{key} = {value}" for key, value in line.given)
    formula = f"`{line.formula}` with `{given}`: " if line.formula else ""
    return f"{line.of}{' ' if line.of else ''}{formula}`{line.put_in} = {line.result}`"


def _cells(cells: tuple[str, ...] | list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(text: str) -> str:
    """Text in which Markdown sees no markup of its own."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")
