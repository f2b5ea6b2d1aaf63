"""Doubts about what is made and never used: a rearranged tensor that is thrown away, a layer that is never called."""

from __future__ import annotations

import ast
import inspect
import linecache
import textwrap
from collections.abc import Iterator

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
    if not isinstance(scene.model, nn.Module) or not scene.calls:
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
    seen: set[str] = set()
    for owner in kind.__mro__:
        if owner.__module__.split(".")[0] in ("torch", "builtins"):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
        except (OSError, TypeError, SyntaxError):
            return False
        seen |= set(_mentions(tree, made=name))
    return name not in seen and not seen & _EVERY


def _mentions(tree: ast.Module, made: str) -> Iterator[str]:
    """Attributes and names that a class's code reads; in ``__init__``, all but the assignment itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Constant) and node.value == made:
            yield made  # by its name as a text
