"""Errors of the user's own Python about sizes: unpacking a shape, asking for a dimension that there is not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from shapeproof.diagnosis.case import Case
from shapeproof.diagnosis.edits import Edit
from shapeproof.diagnosis.inputs import batch_edits, square, unsqueezed
from shapeproof.diagnosis.propose import expression, input_edit
from shapeproof.diagnosis.source import parsed, resolved, statement_of, written


def find(case: Case) -> Iterator[Edit]:
    """Edits for a line that expects a tensor of another number of dimensions."""
    if len(case.calls) > 1:
        yield from batch_edits(case)
    found = _expectation(case)
    if found is None:
        return
    value, wanted, statement = found
    shape = tuple(value.shape)
    place = next((p for p, given in case.inputs() if tuple(given.shape) == shape), None)
    if place is not None and wanted == len(shape) + 1:
        grey = wanted == 4 and len(shape) == 3 and shape[0] not in (1, 3)
        yield unsqueezed(case, place, 1 if grey else 0, 0.0, "missing-channel" if grey else "missing-batch")
        yield unsqueezed(case, place, 0 if grey else 1, 0.3, "missing-batch" if grey else "missing-channel")
    elif place is not None and wanted == len(shape) - 1 and 1 in shape:
        axis = shape.index(1)
        call = f"one dimension less, x.squeeze({axis})"
        yield input_edit(case, place, "rank", call, lambda x: x.squeeze(axis), 0.1, "rank")
    if place is not None and wanted == 4 and len(shape) == 2:
        yield from _as_pictures(case, place, shape)
    if isinstance(statement, ast.Assign) and len(shape) > wanted and case.spot is not None:
        target = statement.targets[0]
        new = written(target, case.text) + ", _" * (len(shape) - wanted)
        words = f"take all {len(shape)} sizes of {shape}"
        yield expression(case, case.spot, target, new, words, "call", new, 0.4, "rank", "unpacking")


def _as_pictures(case: Case, place: int | str, shape: tuple[int, ...]) -> Iterator[Edit]:
    """Rows of pixels given back the shape of pictures."""
    model = case.setup.model
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)] if isinstance(model, nn.Module) else []
    for channels in dict.fromkeys([*(layer.in_channels for layer in convolutions[:1]), 1, 3]):
        side = square(shape[1] // channels)
        if side and side * side * channels == shape[1]:
            new = (-1, channels, side, side)
            call = f"the shape of pictures, x.view{new}"
            yield input_edit(case, place, "layout", call, partial(torch.reshape, shape=new), 0.0, "rank")
            return


def terms(case: Case) -> tuple[str, str, str] | None:
    """Code, how many dimensions the line expects, and what came."""
    found = _expectation(case)
    if found is None:
        return None
    value, wanted, _ = found
    return "rank", f"a tensor of {wanted} dimensions", f"{value.dim()}: {tuple(value.shape)}"


def _expectation(case: Case) -> tuple[Tensor, int, Any] | None:
    """The tensor whose sizes a line reads, the number of dimensions it expects, and the statement."""
    if case.call.spot is not None or case.owner is not None or case.node is None:
        return None
    node = case.node
    tree = parsed(case.text)
    statement = statement_of(node, tree) if tree else None
    if isinstance(node, ast.Tuple) and isinstance(statement, ast.Assign):
        tensor = _asked(statement.value, case)
        return (tensor, len(node.elts), statement) if tensor is not None else None
    index = _index(node)
    tensor = _asked(node.value if isinstance(node, ast.Subscript) else node, case)
    if tensor is None or index is None:
        return None
    return tensor, index + 1 if index >= 0 else -index, None


def _index(node: ast.AST) -> int | None:
    part = (
        node.slice
        if isinstance(node, ast.Subscript)
        else node.args[0]
        if isinstance(node, ast.Call) and node.args
        else None
    )
    if isinstance(part, ast.UnaryOp) and isinstance(part.operand, ast.Constant):
        return -int(part.operand.value)  # type: ignore[arg-type]
    return part.value if isinstance(part, ast.Constant) and isinstance(part.value, int) else None


def _asked(node: ast.AST, case: Case) -> Tensor | None:
    """The tensor of ``x.shape``, ``x.size()`` or ``x.size(3)``."""
    inner = node.func if isinstance(node, ast.Call) else node
    if isinstance(inner, ast.Attribute) and inner.attr in ("shape", "size"):
        held = resolved(inner.value, case.names)
        return held if isinstance(held, Tensor) else None
    return None
