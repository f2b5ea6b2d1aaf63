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
    from shapeproof.diagnosis.source import parsed, statement_of  # seldom needed, and slow to load

    file, _, number = call.source.rpartition(":")
    tree = parsed("".join(linecache.getlines(file)))
    for node in ast.walk(tree) if tree else ():
        if not isinstance(node, ast.Call) or not node.lineno <= int(number) <= (node.end_lineno or 0):
            continue
        if not isinstance(node.func, ast.Attribute) or node.func.attr != call.op:
            continue
        assert tree is not None
        statement = statement_of(node, tree)
        kept = getattr(statement, "value", None) is not node
        if not kept and (isinstance(statement, ast.Expr) or _never_read(statement, tree)):
            return statement
    return None


def _never_read(statement: ast.stmt | None, tree: ast.Module) -> bool:
    """Whether a statement names a value that its function never reads."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return False
    target = statement.targets[0]
    if not isinstance(target, ast.Name) or target.id.startswith("_"):
        return False
    around = [f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and any(n is statement for n in ast.walk(f))]
    names = [node for node in ast.walk(around[-1]) if isinstance(node, ast.Name)] if around else []
    seen = {name.id for name in names if isinstance(name.ctx, ast.Load)}
    return bool(around) and not seen & {target.id, "locals", "vars", "eval", "exec"}


def layers(scene: Scene, paths: tuple[str, ...]) -> Iterator[Doubt]:
    """A layer or block with weights that its class makes, and no other method of the class mentions."""
    if not isinstance(scene.model, nn.Module) or isinstance(scene.model, torch.jit.ScriptModule) or not scene.calls:
        return
    used = {identity for call in scene.calls for identity in call.parameters}
    told: set[str] = set()
    for path in paths:
        parts = path.split(".")
        for place in range(len(parts)):
            above, whole = ".".join(parts[:place]), ".".join(parts[: place + 1])
            if whole in told:
                break
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
