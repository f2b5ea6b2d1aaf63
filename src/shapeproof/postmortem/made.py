"""Where a layer is made that belongs to no class of the user's: at the top of a script, or in a function."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from shapeproof.postmortem.calls import Candidate
from shapeproof.postmortem.frames import Moment, node_of, tree_of
from shapeproof.postmortem.standin import Together


def made_at(stack: Sequence[Moment], candidate: Candidate, path: str) -> tuple[str, str] | None:
    """``file:line`` and text of the constructor call of a layer; ``None`` where it is not plain.

    Args:
        stack: the frames of the error.
        candidate: the call that was derived.
        path: the layer's path in what was called.
    """
    caller = stack[candidate.depth]
    parts = path.split(".") if path else []
    if not isinstance(candidate.callee, Together):
        node = node_of(caller)
        if not isinstance(node, ast.Call):
            return None
        parts = [ast.unparse(node.func).split(".")[-1], *parts]
    if not parts:
        return None
    inner = stack[min(candidate.depth + 1, len(stack) - 1)]
    for moment in (caller, inner):
        found = _constructed(moment, parts)
        if found is not None:
            return f"{moment.file}:{found.lineno}", ast.unparse(found)
    return None


def _constructed(moment: Moment, parts: list[str]) -> ast.Call | None:
    """The constructor call of a layer, from the one assignment of its first name down into containers."""
    tree, name = tree_of(moment), parts[0]
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)] if tree else []
    values = [node.value for node in assigned if any(_is_named(target, name) for target in node.targets)]
    if len(values) != 1 or not isinstance(values[0], ast.Call):
        return None
    call = values[0]
    for part in parts[1:]:
        inside = _element(call, part)
        if inside is None:
            return None
        call = inside
    return call


def _is_named(target: ast.expr, name: str) -> bool:
    return getattr(target, "id", None) == name or getattr(target, "attr", None) == name


def _element(call: ast.Call, part: str) -> ast.Call | None:
    """One element of a container that is written out."""
    listed = call.args[0].elts if call.args and isinstance(call.args[0], ast.List) else call.args
    kind = ast.unparse(call.func).split(".")[-1]
    if kind not in ("Sequential", "ModuleList") or not part.isdigit() or len(listed) <= int(part):
        return None
    element = listed[int(part)]
    return element if isinstance(element, ast.Call) else None
