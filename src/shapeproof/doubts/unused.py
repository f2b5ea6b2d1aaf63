"""Doubts about what is made and never used: a rearranged tensor that is thrown away, a layer that is never called."""

from __future__ import annotations

import ast
import contextlib
import inspect
import linecache
from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import nn

from shapeproof.capture.trace import Call
from shapeproof.doubts.scene import Doubt, Scene

# operations that change nothing in place: without their result they do nothing
REARRANGE = frozenset(
    """view reshape flatten unflatten permute transpose movedim moveaxis swapaxes swapdims squeeze unsqueeze expand
    contiguous repeat t""".split()
)
_EVERY = frozenset("children modules named_children named_modules _modules __dict__ getattr get_submodule".split())


def results(scene: Scene) -> Iterator[Doubt]:
    """A ``view``, ``permute`` or the like whose result is not kept."""
    read: set[tuple[str, str]] = set()
    for index, call in scene.of(REARRANGE):
        if not call.source or (call.op, call.source) in read:
            continue
        # what another call was given is kept; a result of the same shape may be the tensor itself under its old name
        if scene.users(index) and call.inputs[:1] != (call.output,):
            continue
        read.add((call.op, call.source))
        if _alone(call) is not None:
            text = f"the result of {call.op} is not kept, and {call.op} changes nothing in place: the line does nothing"
            yield Doubt("unused-result", text, index)


def _alone(call: Call) -> ast.stmt | None:
    """The statement of a call that is all of it, or that gives the result a name which nothing reads."""
    file, _, number = call.source.rpartition(":")
    for node, statement, function in _method_calls("".join(linecache.getlines(file))).get(call.op, ()):
        if not node.lineno <= int(number) <= (node.end_lineno or 0) or getattr(statement, "value", None) is not node:
            continue
        if isinstance(statement, ast.Expr) or (function and _never_read(statement, function)):
            return statement
    return None


@lru_cache(maxsize=64)
def _method_calls(text: str) -> dict[str, list[tuple[ast.Call, ast.stmt, ast.FunctionDef | None]]]:
    """Where a file calls a method, by its name: the call, and the innermost statement and function that hold it."""
    found: dict[str, list[tuple[ast.Call, ast.stmt, ast.FunctionDef | None]]] = {}
    waiting: list[tuple[ast.AST, ast.stmt | None, ast.FunctionDef | None]] = []
    with contextlib.suppress(SyntaxError):
        waiting = [(ast.parse(text), None, None)]
    for node, outer, around in waiting:  # which grows as it is gone through
        statement = node if isinstance(node, ast.stmt) else outer
        function = node if isinstance(node, ast.FunctionDef) else around
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and statement:
            found.setdefault(node.func.attr, []).append((node, statement, function))
        waiting.extend((child, statement, function) for child in ast.iter_child_nodes(node))
    return found


def _never_read(statement: ast.stmt, function: ast.FunctionDef) -> bool:
    """Whether a statement names a value that its function never reads."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return False
    target = statement.targets[0]
    if not isinstance(target, ast.Name) or target.id.startswith("_"):
        return False
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    seen = {name.id for name in names if isinstance(name.ctx, ast.Load)}
    return not seen & {target.id, "locals", "vars", "eval", "exec"}


def layers(scene: Scene, paths: tuple[str, ...]) -> Iterator[Doubt]:
    """A layer or block with weights that its class makes, and no other method of the class mentions."""
    if not isinstance(scene.model, nn.Module) or isinstance(scene.model, torch.jit.ScriptModule) or not scene.calls:
        return
    used = {identity for call in scene.calls for identity in call.parameters}
    told: set[str] = set()
    fine: set[str] = set()  # what many of the paths begin with, such as a tower that is not called
    for path in paths:
        parts = path.split(".")
        for place in range(len(parts)):
            above, whole = ".".join(parts[:place]), ".".join(parts[: place + 1])
            if whole in told:
                break
            if whole in fine:
                continue
            fine.add(whole)
            layer, owner = scene.model.get_submodule(whole), scene.model.get_submodule(above)
            weights = list(layer.parameters())
            if weights and not any(id(w) in used for w in weights) and _forgotten(type(owner), parts[place]):
                told.add(whole)
                kind, maker = f"{whole} ({type(layer).__name__})", type(owner).__name__
                text = f"{kind} is made and never called: nothing in {maker} but __init__ mentions {parts[place]}"
                yield Doubt("never-called", text, len(scene.calls) - 1)
                break


def _forgotten(kind: type, name: str) -> bool:
    """Whether a class's code, ``__init__`` apart, has no word of an attribute, nor a way to reach it without a name."""
    if kind.__module__.split(".")[0] == "torch" or not name.isidentifier():
        return False
    for owner in kind.__mro__:
        if owner.__module__.split(".")[0] in ("torch", "builtins"):
            continue
        try:
            file = inspect.getsourcefile(owner)
        except (OSError, TypeError):
            return False
        words = _words("".join(linecache.getlines(file or "")), owner.__qualname__)
        if words is None or name in words[0] | words[1] or words[0] & _EVERY:
            return False
    return True


@lru_cache(maxsize=1024)
def _words(text: str, kind: str) -> tuple[frozenset[str], frozenset[str]] | None:
    """Attributes and names that a class's code reads, and its constant texts; ``None`` where it is not in the file."""
    names: set[str] = set()
    texts: set[str] = set()
    found = _classes(text).get(kind)
    for node in ast.walk(found) if found else ():
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Store):
            names.add(node.attr)
        elif isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.add(node.value)
    return (frozenset(names), frozenset(texts)) if found else None


@lru_cache(maxsize=16)
def _classes(text: str) -> dict[str, ast.ClassDef]:
    """The classes that a file defines, by their qualified names; a file is read once, however many classes it has."""
    found: dict[str, ast.ClassDef] = {}

    def visit(node: ast.AST, within: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = within
            if isinstance(child, ast.ClassDef):
                found[within + child.name] = child
                inner = f"{within}{child.name}."
            elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                inner = f"{within}{child.name}.<locals>."
            visit(child, inner)

    with contextlib.suppress(SyntaxError):
        visit(ast.parse(text), "")
    return found
