"""The line that makes a hidden state or a mask, written with the sizes that the layer needs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from shapeproof.diagnosis.case import Case
from shapeproof.diagnosis.edits import Edit, source_changed, together
from shapeproof.diagnosis.propose import call_node
from shapeproof.diagnosis.source import Change, instead, written

FACTORIES = ("zeros", "randn", "rand", "ones", "full", "new_zeros", "new_ones")


def sizes_written(
    case: Case, wanted: tuple[int, ...], came: tuple[int, ...], what: str = "hidden state", code: str = "hidden-size"
) -> Iterator[Edit]:
    """Every line of the run that makes a tensor of that shape, with each size that differs replaced."""
    changes: list[Change] = []
    spots = []
    lines = []
    for call in case.calls[:-1]:
        if call.op not in FACTORIES or call.output != came or call.spot is None:
            continue
        node = call_node(case, call.spot)
        text = case.setup.sources.text(call.spot[0].co_filename)
        new = _new_sizes(case, node, wanted, came, call.spot)
        if new is None or any(change.line == node.lineno and change.column == node.col_offset for change in changes):
            continue
        for old, replacement in new:
            changes.append(instead(call.spot[0].co_filename, old, replacement))
            lines.append((call.source, written(old, text), replacement))
        spots.append(call.spot)
    if not changes:
        return
    apply = together(*(source_changed(s) for s in spots), source_changed(None, *changes))
    said = "; ".join(dict.fromkeys(f"At {line}, write {new} instead of {old}" for line, old, new in lines))
    text = f"{said}: the {what} needs {wanted}, and {came} came."
    yield Edit("call", case.path or "", what, came, wanted, text, apply, 0.0, code, lines[0][0])


def _new_sizes(
    case: Case, node: Any, wanted: tuple[int, ...], came: tuple[int, ...], spot: Any
) -> list[tuple[Any, str]] | None:
    if not isinstance(node, ast.Call):
        return None
    parts: list[Any] = list(node.args)
    if len(parts) == 1 and isinstance(parts[0], (ast.Tuple, ast.List)):
        parts = list(parts[0].elts)
    if len(parts) < len(came) or len(came) != len(wanted):
        return None
    found = []
    for axis, (old, need) in enumerate(zip(came, wanted, strict=True)):
        if old != need:
            found.append((parts[axis], _size_text(case, axis, need, spot)))
    return found


def _size_text(case: Case, axis: int, need: int, spot: Any) -> str:
    """A size as a person writes it: a name that has it in that function, the batch of a tensor, or the number."""
    held = next((frame.f_locals for frame, _ in case.frames if frame.f_code is spot[0]), {})
    for name, value in held.items():
        if type(value) is int and value == need:
            return name
    given = spot[0].co_varnames[: spot[0].co_argcount]
    for name, value in held.items():
        if name in given and isinstance(value, Tensor) and axis and need in value.shape[:2]:
            return f"{name}.size({list(value.shape).index(need)})"
    return str(need)
