"""Reading constructor calls in the user's source: their arguments, their values, and where a number comes from."""

from __future__ import annotations

import ast
import operator
from collections.abc import Iterator
from typing import Any

from shapeproof.diagnosis.rebuild import names
from shapeproof.diagnosis.source import Change, instead, resolved

UNKNOWN = object()
_ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def value_of(node: ast.AST, known: dict[str, Any]) -> Any:
    """The value of an expression of constants and plain names; ``UNKNOWN`` for anything else."""
    if isinstance(node, (ast.Tuple, ast.List)):
        parts = [value_of(part, known) for part in node.elts]
        return UNKNOWN if UNKNOWN in parts else tuple(parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = value_of(node.operand, known)
        return UNKNOWN if inner is UNKNOWN else -inner
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        left, right = value_of(node.left, known), value_of(node.right, known)
        if isinstance(left, (int, float)) and isinstance(right, (int, float)):
            try:
                return _ARITHMETIC[type(node.op)](left, right)
            except ArithmeticError:
                return UNKNOWN
        return UNKNOWN
    if isinstance(node, ast.Constant):
        return node.value
    found = resolved(node, known)
    return UNKNOWN if found is None else found


def called_name(node: ast.AST) -> str:
    """The last name of what a call calls: ``Conv2d`` of ``nn.Conv2d(...)``."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def given(call: ast.Call, order: list[str]) -> dict[str, ast.expr]:
    """The arguments of a call by name, where the names of the positional ones are known."""
    found: dict[str, ast.expr] = {}
    for name, node in zip(order, call.args, strict=False):
        if isinstance(node, ast.Starred):
            break
        found[name] = node
    return found | {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


def same(written: Any, held: Any) -> bool:
    """Whether a written value is what a layer holds; one number stands for as many as there are axes."""
    if isinstance(held, (tuple, list)) and isinstance(written, int):
        return all(part == written for part in held)
    if isinstance(held, (tuple, list)) and isinstance(written, (tuple, list)):
        return tuple(held) == tuple(written)
    return bool(written == held)


def agrees(call: ast.Call, module: Any, kind: type, known: dict[str, Any]) -> bool:
    """Whether a constructor call can have made a layer: no argument that can be read says otherwise."""
    for name, node in given(call, names(kind)).items():
        value = value_of(node, known)
        held = getattr(module, name, UNKNOWN)
        if value is UNKNOWN or held is UNKNOWN or name == "bias":
            continue
        if not same(value, held):
            return False
    return True


def calls_of(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    """Every call of a class or function of this name, in the order of the source."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and called_name(node) == name]
    yield from sorted(found, key=lambda node: (node.lineno, node.col_offset))


def literal(value: Any) -> str:
    """A value as one writes it in a call: one number where all axes have the same."""
    if isinstance(value, (tuple, list)) and value and len(set(value)) == 1 and len(value) > 1:
        return repr(value[0])
    return repr(tuple(value)) if isinstance(value, list) else repr(value)


def added(file: str, call: ast.Call, text: str, name: str, value: Any) -> Change:
    """An argument that the call does not have yet, put last."""
    lines = text.splitlines()
    line, column = call.end_lineno or call.lineno, (call.end_col_offset or 1) - 1
    row, before = line - 1, lines[line - 1].encode()[:column].decode().rstrip()
    while not before and row > call.lineno - 1:
        row -= 1
        before = lines[row].rstrip()
    comma = "" if before.endswith((",", "(")) else ", "
    return Change(file, line, column, line, column, f"{comma}{name}={literal(value)}")


def replaced(file: str, node: ast.expr, value: Any) -> Change:
    """Another value for an argument."""
    return instead(file, node, literal(value))


def parameters(function: ast.FunctionDef) -> list[str]:
    """The names of a function's parameters that may be passed by position."""
    return [arg.arg for arg in (*function.args.posonlyargs, *function.args.args)]


def default_of(function: ast.FunctionDef, name: str) -> ast.expr | None:
    """The default of a parameter."""
    plain = [*function.args.posonlyargs, *function.args.args]
    defaults = dict(zip([a.arg for a in plain[::-1]], function.args.defaults[::-1], strict=False))
    keyword = {a.arg: d for a, d in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True) if d}
    return {**defaults, **keyword}.get(name)
