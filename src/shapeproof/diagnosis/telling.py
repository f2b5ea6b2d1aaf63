"""What is told of a failure besides its edits: the line with its operands, and where the wrong number was born."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from shapeproof.derivation.model import Derivation, Diagnosis, Named, Step
from shapeproof.diagnosis.case import KEEPS_PLACES, Case, sizes
from shapeproof.diagnosis.place import Made, made, number
from shapeproof.diagnosis.reaching import Reaching
from shapeproof.diagnosis.rebuild import BATCH_NORMS, CONVS, TRANSPOSED
from shapeproof.diagnosis.source import resolved, written

# the argument by which a layer fixes the size that must come
FIXED_BY: tuple[tuple[Any, str], ...] = (
    (nn.Linear, "in_features"),
    ((*CONVS, *TRANSPOSED), "in_channels"),
    (BATCH_NORMS, "num_features"),
    (nn.GroupNorm, "num_channels"),
    (nn.LayerNorm, "normalized_shape"),
    ((nn.RNNBase, nn.RNNCellBase), "input_size"),
    (nn.MultiheadAttention, "embed_dim"),
)

CONVOLVES = frozenset(f"conv{turned}{axes}d" for turned in ("", "_transpose") for axes in (1, 2, 3))
OF_CHANNELS = frozenset(["in-channels", "num-features", "groups"])


def operands(case: Case, steps: tuple[Step, ...]) -> tuple[Named, ...]:
    """The tensors of the failed line under their names, with letters where the derivation has them."""
    node, found = case.node, {}
    if node is None:
        return ()
    for index, fed in enumerate(case.fed[:4]):
        part = case.operand(index)
        if part is not None and part.lineno == node.lineno:
            found[part.col_offset] = Named(written(part, case.text), _lettered(sizes(fed), steps), _column(part, case))
    for part in _names(node):
        held = resolved(part, case.names)
        if isinstance(held, Tensor) and part.lineno == node.lineno and part.col_offset not in found:
            shape = _lettered(tuple(held.shape), steps)
            found[part.col_offset] = Named(written(part, case.text), shape, _column(part, case))
    return tuple(found[column] for column in sorted(found))


def _names(node: ast.AST) -> Iterator[Any]:
    """The plain names in an expression, and chains of them such as ``self.pos``."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, (ast.Name, ast.Attribute)):
            yield part
        if not isinstance(part, ast.Lambda):
            yield from _names(part)


def _column(node: Any, case: Case) -> int:
    """The column in characters."""
    return len(case.text.splitlines()[node.lineno - 1].encode()[: node.col_offset].decode())


def _lettered(shape: tuple[int, ...], steps: tuple[Step, ...]) -> tuple[int, ...]:
    """The same shape with letters, where one of the last steps has it."""
    for step in reversed(steps):
        for known in (*step.inputs, step.output):
            if (
                isinstance(known, tuple)
                and all(isinstance(size, int) for size in known)
                and tuple(map(int, known)) == shape
            ):
                return known
    return shape


def line(case: Case) -> str:
    """The user's line that failed; of a layer that no line of the user's calls, the line that makes it."""
    if case.node is not None:
        return _line_of(case.text, case.node.lineno)
    here = _made(case)
    return _line_of(case.setup.sources.text(here.file), here.call.lineno) if here and case.user is None else ""


def _line_of(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number - 1].rstrip() if 0 < number <= len(lines) else ""


def _made(case: Case) -> Made | None:
    return made(case.setup.model, case.path, case.setup.sources) if case.path else None


def placed(found: Diagnosis, case: Case) -> Diagnosis:
    """The diagnosis with the layer's name, where a function reaches it, and a line, where none of the user's ran."""
    step, message = found.step, found.message
    if isinstance(case.setup.model, Reaching) and case.path and message.startswith("the model"):
        message = case.path + message.removeprefix("the model")
        step = replace(step, module=case.path)
    here = _made(case) if not step.source else None
    if here is not None:
        head, sep, rest = message.partition(": expected ")
        message, step = f"{head}, made at {here.line}{sep}{rest}", replace(step, source=here.line)
    return replace(found, step=step, message=message)


def made_by(derivation: Derivation, code: str) -> str:
    """Which step made the number that does not fit."""
    failed = derivation.steps[-1]
    if not failed.parents:
        return ""
    maker = derivation.steps[failed.parents[0]]
    while maker.op in KEEPS_PLACES and maker.parents:
        maker = derivation.steps[maker.parents[0]]
    if not maker.arithmetic:
        return ""
    place = f" at {maker.source}" if maker.source else ""
    return f"it was made by {maker.op}{place}: {_width(maker, code) or maker.arithmetic}"


def _width(maker: Step, code: str) -> str:
    """The width that a layer gives its result, where that is what does not fit."""
    output: Any = maker.output
    if maker.op == "linear" and output:
        return f"out_features = {output[-1]}"
    if maker.op in CONVOLVES and code in OF_CHANNELS and output:
        return f"out_channels = {output[-1 - int(maker.op[-2])]}"
    return ""


def written_at(case: Case) -> str:
    """Where the number that should come is written: the argument of the layer's constructor, and its line."""
    owner, path = case.owner, case.path
    attribute = next((name for kinds, name in FIXED_BY if isinstance(owner, kinds)), None)
    if attribute is None or path is None:
        return ""
    held = getattr(owner, attribute)
    at = number(case.setup.model, path, attribute, held, case.setup.sources)
    return f"{attribute} = {held} of {path or 'the model'} is written at {at.line}" if at else ""
