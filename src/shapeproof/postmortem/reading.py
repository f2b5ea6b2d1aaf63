"""Expressions of the user's code, read again from what the frame still holds; nothing that could have an effect is."""

from __future__ import annotations

import ast
import builtins
import types
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

_PURE_BUILTINS = frozenset(
    getattr(builtins, name)
    for name in "abs bool dict float int len list max min range reversed round slice sorted sum tuple zip".split()
)
_EFFECTS = frozenset({"backward", "requires_grad_", "retain_grad", "register_hook", "share_memory_"})


class Unreadable(Exception):  # noqa: N818  # a finding, caught where the expression was wanted
    """An expression cannot be read again without a possible effect, or what it names is gone."""


def readable(node: ast.AST, names: Mapping[str, Any]) -> bool:
    """Whether an expression can be run again without an effect: names, numbers, and PyTorch's own operations."""
    if isinstance(node, ast.Call):
        parts: list[ast.AST] = [*node.args, *(keyword.value for keyword in node.keywords)]
        return _pure_callee(node.func, names) and all(readable(part, names) for part in parts)
    if isinstance(node, ast.Name):
        return node.id in names or hasattr(builtins, node.id)
    allowed = (
        ast.Constant, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.Dict, ast.Starred, ast.BinOp,
        ast.UnaryOp, ast.Compare, ast.BoolOp, ast.IfExp, ast.JoinedStr, ast.FormattedValue, ast.Index,
    )  # fmt: skip
    if not isinstance(node, allowed):
        return False
    return all(readable(part, names) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr))


def read(node: ast.AST, names: Mapping[str, Any]) -> Any:
    """The value of an expression, from the names of its frame.

    Raises:
        Unreadable: if running it again could have an effect, or a name in it is gone.
    """
    if not isinstance(node, ast.expr) or not readable(node, names):
        raise Unreadable(ast.unparse(node))
    code = compile(ast.fix_missing_locations(ast.Expression(node)), "<read again>", "eval")
    try:
        with torch.no_grad():
            return eval(code, {**names})  # noqa: S307  # the user's own expression, read by `readable` first
    except Exception as error:
        raise Unreadable(ast.unparse(node)) from error


def _pure_callee(func: ast.expr, names: Mapping[str, Any]) -> bool:
    """Whether what is called is an operation of PyTorch's, a method of a tensor, or a builtin without effects."""
    if isinstance(func, ast.Attribute):
        if not readable(func.value, names) or func.attr.endswith("_") or func.attr in _EFFECTS:
            return False
        if isinstance(func.value, (ast.Name, ast.Attribute)):
            return _pure(_looked_up(func, names), _looked_up(func.value, names))
        return hasattr(Tensor, func.attr)  # a method of what another operation gives
    return isinstance(func, ast.Name) and _pure(_looked_up(func, names), None)


def _looked_up(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """What a name, dotted or not, stands for; ``None`` where that is not plain."""
    if isinstance(node, ast.Name):
        return names.get(node.id, getattr(builtins, node.id, None))
    if isinstance(node, ast.Attribute):
        return getattr(_looked_up(node.value, names), node.attr, None)
    return None


def _pure(value: Any, owner: Any) -> bool:
    if isinstance(owner, Tensor):
        return True
    if isinstance(value, type):
        return value in _PURE_BUILTINS
    if isinstance(value, (types.BuiltinFunctionType, types.BuiltinMethodType, types.FunctionType)) or callable(value):
        home = getattr(value, "__module__", None) or ""
        torchs = home.split(".")[0] == "torch" or getattr(owner, "__name__", "").split(".")[0] == "torch"
        return (torchs and not isinstance(value, nn.Module)) or _among(value)
    return False


def _among(value: Any) -> bool:
    try:
        return value in _PURE_BUILTINS
    except TypeError:  # not hashable, so none of these
        return False
