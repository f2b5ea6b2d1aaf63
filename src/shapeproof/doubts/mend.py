"""What to do about each warning: edits of the user's source or of a layer, each tried before it is offered."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from shapeproof.capture.run import run
from shapeproof.capture.trace import Call
from shapeproof.derivation.model import Derivation, ShapeWarning
from shapeproof.diagnosis.case import Case
from shapeproof.diagnosis.diagnose import attempt
from shapeproof.diagnosis.edits import Edit, Setup
from shapeproof.diagnosis.propose import argument, expression
from shapeproof.diagnosis.reshaping import receiver
from shapeproof.diagnosis.source import node_at, parsed, statement_of, written

MOST_MENDED = 5  # warnings of one model for which edits are tried


def mended(setup: Setup, derivation: Derivation) -> tuple[ShapeWarning, ...]:
    """The warnings of a derivation with their fixes; every fix marked proved was applied to a copy, which ran.

    Args:
        setup: the user's model and inputs; copied before anything is changed.
        derivation: the derivation of exactly these.
    """
    pairs = {key: (value, None) for key, value in setup.kwargs.items()}
    trace = run(setup.model, [(value, None) for value in setup.args], pairs, setup.manner, detailed=True)
    if len(trace.calls) != len(derivation.steps):  # it ran another way this time: no edit can be placed
        return derivation.warnings
    first = [_with_fixes(setup, trace.calls, warning) for warning in derivation.warnings[:MOST_MENDED]]
    return (*first, *derivation.warnings[MOST_MENDED:])


def _with_fixes(setup: Setup, calls: list[Call], warning: ShapeWarning) -> ShapeWarning:
    case = Case(setup, calls[: warning.step.index + 1], None)
    fixes = [attempt(setup, case.calls, edit) for edit in MENDS.get(warning.code, _nothing)(case)]
    return replace(warning, fixes=tuple(sorted(fixes, key=lambda fix: not fix.proved)))


def _nothing(case: Case) -> Iterator[Edit]:
    """No edit can be told from the sizes alone."""
    yield from ()


def _rewritten(case: Case, make: Callable[[str], str], words: str, attribute: str) -> Iterator[Edit]:
    """The call's expression written anew, from the text of the tensor that it rearranges."""
    node, spot = node_at(case.call.spot, case.setup.sources), case.call.spot
    if not isinstance(node, ast.Call) or spot is None or receiver(node) is None:
        return
    tensor = receiver(node)
    name = written(tensor, case.setup.sources.text(spot[0].co_filename))
    name = name if isinstance(tensor, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)) else f"({name})"
    yield expression(case, spot, node, make(name), words, attribute=attribute, module=case.call.module)


def _flatten(case: Case) -> Iterator[Edit]:
    yield from _rewritten(case, lambda x: f"{x}.flatten(1)", "flatten all but the batch", "flatten")


def _squeeze(case: Case) -> Iterator[Edit]:
    shape = case.call.inputs[0]
    ones = [place for place, size in enumerate(shape) if place and int(size) == 1]
    if not ones:
        return
    if len(ones) > 1 and ones == list(range(2, len(shape))):
        yield from _rewritten(case, lambda x: f"{x}.flatten(1)", "name what is to go, and keep the batch", "squeeze")
    else:
        dims = str(ones[0]) if len(ones) == 1 else str(tuple(ones))
        yield from _rewritten(case, lambda x: f"{x}.squeeze({dims})", "name what is to go, and keep the batch", "dim")


def _softmax(case: Case) -> Iterator[Edit]:
    last = -1
    if case.call.module and type(_layer(case)).__name__ in ("Softmax", "LogSoftmax", "Softmin"):
        yield from argument(case, case.call.module, "dim", last, code="softmax-batch")
        return
    node, spot = node_at(case.call.spot, case.setup.sources), case.call.spot
    if not isinstance(node, ast.Call) or spot is None:
        return
    text = case.setup.sources.text(spot[0].co_filename)
    rest = [written(arg, text) for arg in node.args if arg is receiver(node)]
    new = f"{written(node.func, text)}({', '.join([*rest, f'dim={last}'])})"
    words = "take the softmax over the last dimension"
    yield expression(case, spot, node, new, words, attribute="dim", module=case.call.module)


def _batch_first(case: Case) -> Iterator[Edit]:
    yield from argument(case, case.call.module, "batch_first", True, code="batch-as-time")


def _transpose(case: Case) -> Iterator[Edit]:
    entering, leaving = case.call.inputs[0], case.call.output
    i, j = (place for place, (a, b) in enumerate(zip(entering, leaving, strict=True)) if int(a) != int(b))
    words = "move the elements with their sizes"
    yield from _rewritten(case, lambda x: f"{x}.transpose({i}, {j})", words, case.call.op)


def _one_less(case: Case) -> Iterator[Edit]:
    """The operand with a size of 1 too many without it."""
    node, spot = node_at(case.call.spot, case.setup.sources), case.call.spot
    place = 0 if len(case.call.inputs[0]) == 2 else 1
    if isinstance(node, ast.BinOp):
        operand: ast.expr | None = (node.left, node.right)[place]
    else:
        operand = node.args[place] if isinstance(node, ast.Call) and len(node.args) > place else None
    if operand is None or spot is None or len(case.call.inputs[place]) != 2:
        return
    name = written(operand, case.setup.sources.text(spot[0].co_filename))
    name = name if isinstance(operand, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)) else f"({name})"
    words = "give both the same shape"
    yield expression(case, spot, operand, f"{name}.squeeze(1)", words, attribute="squeeze", module=case.call.module)


def _keep(case: Case) -> Iterator[Edit]:
    """The result given to the name that was rearranged."""
    node, spot = node_at(case.call.spot, case.setup.sources), case.call.spot
    if not isinstance(node, ast.Call) or spot is None or not isinstance(receiver(node), ast.Name):
        return
    text = case.setup.sources.text(spot[0].co_filename)
    tree = parsed(text)
    if tree is not None and isinstance(statement_of(node, tree), ast.Expr):
        new = f"{receiver(node).id} = {written(node, text)}"
        yield expression(case, spot, node, new, "keep the result", attribute=case.call.op, module=case.call.module)


def _layer(case: Case) -> Any:
    return case.setup.model.get_submodule(case.call.module)


MENDS: dict[str, Callable[[Case], Iterator[Edit]]] = {
    "batch-reshaped": _flatten,
    "batch-flattened": _flatten,
    "squeeze-batch": _squeeze,
    "softmax-batch": _softmax,
    "batch-as-time": _batch_first,
    "swapped-axes": _transpose,
    "outer-broadcast": _one_less,
    "unused-result": _keep,
}
