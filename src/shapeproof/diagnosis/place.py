"""Where in the user's source a layer is constructed, and where a number of its constructor comes from."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from typing import Any

from torch import nn

from shapeproof.capture.source import is_ours
from shapeproof.diagnosis.loose import Place, containers, put_in
from shapeproof.diagnosis.reading import (
    UNKNOWN,
    added,
    agrees,
    called_name,
    calls_of,
    default_of,
    given,
    parameters,
    replaced,
    same,
    value_of,
)
from shapeproof.diagnosis.rebuild import names, torch_class
from shapeproof.diagnosis.source import Change, Sources, instead, parsed
from shapeproof.records import dataclass

_REGISTERS = ("add_module", "register_module", "register_buffer", "register_parameter")
_LOOPS = (ast.For, ast.While, ast.ListComp, ast.GeneratorExp)
_CONTAINERS = ("Sequential", "ModuleList", "ModuleDict", "OrderedDict")


@dataclass(frozen=True)
class Made:
    """A constructor call.

    Attributes:
        file: the file in which it stands.
        call: the call.
        function: the function that it stands in, if any.
        owner: path of the module whose ``__init__`` that is; ``None`` for another function.
        outer: where that function was called from, if it is a helper's.
        known: what its plain names stand for.
    """

    file: str
    call: ast.Call
    function: ast.FunctionDef | None
    owner: str | None
    outer: Made | None
    known: dict[str, Any]

    @property
    def line(self) -> str:
        """``file:line`` of the call."""
        return f"{self.file}:{self.call.lineno}"


@dataclass(frozen=True)
class Number:
    """Where a constructor's argument stands in the source.

    Attributes:
        line: ``file:line``.
        name: the argument's name there.
        path: path of the module whose constructor takes it there.
        call: the call in which it stands; ``None`` for a default.
        change: writes another value; ``None`` where the place is not plain.
    """

    line: str
    name: str
    path: str
    call: ast.Call | None
    node: ast.expr | None
    made: Made


def made(model: Any, path: str, sources: Sources) -> Made | None:
    """The constructor call of the module at ``path``; ``None`` where it is not plain."""
    if not isinstance(model, nn.Module):
        return None
    module = model.get_submodule(path)
    parts = path.split(".") if path else []
    outside = _from_outside(put_in(model, path, sources), model, path, sources) if path else None
    if outside is not None:
        return outside
    for cut in range(len(parts), 0, -1):  # a layer of a Sequential is made where the Sequential is
        owner_path = ".".join(parts[: cut - 1])
        owner = model.get_submodule(owner_path)
        for file, tree, known in classes(owner, sources):
            for function, value in _assigned(tree, parts[cut - 1]):
                here = _Reader(file, function, owner_path, known, tree, sources)
                found = here.descend(value, parts[cut:], module)
                if found:
                    return found
    return _from_outside(containers(model, path, sources), model, path, sources)


def _from_outside(places: Iterator[Place], model: Any, path: str, sources: Sources) -> Made | None:
    """The constructor call of a module in what stands outside of the classes of its owners."""
    module, parts = model.get_submodule(path), path.split(".") if path else []
    kind = torch_class(module)
    for place in places:
        tree = place.function or place.value
        here = _Reader(place.file, place.function, None, place.known, tree, sources)
        found = here.descend(place.value, parts[place.depth :], module)
        if found and kind and agrees(found.call, module, kind, found.known):
            return found
    return None


@dataclass(frozen=True)
class _Reader:
    """Finds the constructor call of a module within what is assigned to an attribute."""

    file: str
    function: ast.FunctionDef | None
    owner: str | None
    known: dict[str, Any]
    tree: ast.AST
    sources: Sources
    outer: Made | None = None

    def descend(self, value: ast.AST, rest: list[str], module: Any) -> Made | None:
        """Follow ``rest`` (names within containers) down from an expression."""
        if not rest and called_name(value) in _kinds(module):
            return self._at(value)
        if rest and called_name(value) in _CONTAINERS:
            inner = _element(value, rest[0])
            return self.descend(inner, rest[1:], module) if inner is not None else self._nearest(value, module)
        helper = self._helper(value)
        if helper is not None:
            return helper._returned(rest, module)
        return self._nearest(value, module)

    def _nearest(self, value: ast.AST, module: Any) -> Made | None:
        """The one call that can have made the module, in an expression or else in the function around it."""
        return self._only(value, module) or self._only(self.function or value, module)

    def _at(self, call: Any) -> Made:
        return Made(self.file, call, self.function, self.owner, self.outer, self.known)

    def _only(self, tree: ast.AST, module: Any) -> Made | None:
        """The one call in a tree that can have made the module."""
        kind = torch_class(module)
        found = [call for name in _kinds(module) for call in calls_of(tree, name)]
        if kind is not None:
            found = [call for call in found if agrees(call, module, kind, self.known)]
        return self._at(found[0]) if len(found) == 1 else None

    def _helper(self, value: ast.AST) -> _Reader | None:
        """The function of the same file that an expression calls, if it is one."""
        name = called_name(value)
        whole = parsed(self.sources.text(self.file)) if name else None
        found = [n for n in ast.walk(whole) if isinstance(n, ast.FunctionDef) and n.name == name] if whole else []
        if len(found) != 1 or found[0] is self.function:
            return None
        return _Reader(self.file, found[0], None, self.known, found[0], self.sources, self._at(value))

    def _returned(self, rest: list[str], module: Any) -> Made | None:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Return) and node.value is not None:
                found = self.descend(node.value, rest, module)
                if found:
                    return found
        return self._only(self.tree, module)


def _kinds(module: Any) -> set[str]:
    kind = torch_class(module)
    return {type(module).__name__, kind.__name__ if kind else ""} - {""}


def _element(value: Any, name: str) -> Any:
    """One element of a container written out; ``None`` where it is not."""
    args = value.args
    if called_name(value) in ("ModuleList", "OrderedDict", "ModuleDict") and len(args) == 1:
        inner = args[0]
        if isinstance(inner, ast.Dict):
            keys = [k.value if isinstance(k, ast.Constant) else None for k in inner.keys]
            return inner.values[keys.index(name)] if name in keys else None
        args = inner.elts if isinstance(inner, (ast.List, ast.Tuple)) else [inner]
    if len(args) == 1 and called_name(args[0]) == "OrderedDict":
        return _element(args[0], name)
    pairs = {
        a.elts[0].value: a.elts[1] for a in args if isinstance(a, ast.Tuple) and isinstance(a.elts[0], ast.Constant)
    }
    if name in pairs:
        return pairs[name]
    if not name.isdigit() or any(isinstance(arg, ast.Starred) for arg in args) or int(name) >= len(args):
        return None
    return args[int(name)]


def classes(owner: Any, sources: Sources) -> Iterator[tuple[str, ast.AST, dict[str, Any]]]:
    """The source of a module's class, and of the user's classes that it is derived from."""
    for kind in type(owner).__mro__:
        if kind.__module__.startswith("torch.") or kind is object:
            continue
        init = kind.__dict__.get("__init__")
        file = getattr(getattr(inspect.unwrap(init), "__code__", None), "co_filename", None) if init else None
        if init is None or file is None or is_ours(file):
            continue
        tree = parsed(sources.text(file))
        first = inspect.unwrap(init).__code__.co_firstlineno
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.ClassDef) and any(_starts(f, first) for f in node.body):
                yield file, node, {**getattr(sys.modules.get(kind.__module__), "__dict__", {}), "self": owner}


def _starts(node: ast.AST, line: int) -> bool:
    if not isinstance(node, ast.FunctionDef) or node.name != "__init__":
        return False
    return line in (node.lineno, *(decorator.lineno for decorator in node.decorator_list))


def _assigned(tree: ast.AST, name: str) -> Iterator[tuple[ast.FunctionDef, ast.AST]]:
    """What is assigned to ``self.name`` in the methods of a class, with the method."""
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        for node in ast.walk(function):
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                plain = [t for t in targets if isinstance(t, ast.Attribute) and ast.unparse(t.value) == "self"]
                if any(t.attr == name for t in plain):
                    yield function, node.value
            elif called_name(node) in _REGISTERS and len(getattr(node, "args", ())) == 2:
                key = node.args[0]  # type: ignore[attr-defined]  # a call, by its name
                if isinstance(key, ast.Constant) and key.value == name:
                    yield function, node.args[1]  # type: ignore[attr-defined]


def number(model: Any, path: str, attribute: str, old: Any, sources: Sources) -> Number | None:
    """Where the value of a layer's constructor argument is written: at the layer, or where its owner is made."""
    found = made(model, path, sources)
    kind = torch_class(model.get_submodule(path)) if found else None
    if found is None or kind is None:
        return None
    node = given(found.call, names(kind)).get(attribute)
    return _followed(model, Number(found.line, attribute, path, found.call, node, found), old, sources)


def _followed(model: Any, number: Number, old: Any, sources: Sources) -> Number:
    """Go up to the outer call where an argument only passes on a parameter."""
    for _ in range(4):
        outer = _outer(model, number, old, sources)
        if outer is None:
            break
        number = outer
    return number


def _outer(model: Any, at: Number, old: Any, sources: Sources) -> Number | None:
    function, node = at.made.function, at.node
    if function is None or not isinstance(node, ast.Name) or uses(function, node.id) > 1:
        return None
    keywords = [arg.arg for arg in function.args.kwonlyargs]
    if node.id not in parameters(function) + keywords:
        return None
    order = [name for name in parameters(function) if name != "self"]
    upper, path = at.made.outer, at.path
    if upper is None and at.made.owner:
        upper, path = made(model, at.made.owner, sources), at.made.owner
    if upper is not None:
        passed = given(upper.call, order).get(node.id)
        if passed is not None:
            return Number(f"{upper.file}:{passed.lineno}", node.id, path, upper.call, passed, upper)
    default = default_of(function, node.id)
    if default is not None and same(value_of(default, at.made.known), old):
        return Number(f"{at.made.file}:{default.lineno}", node.id, at.made.owner or "", None, default, at.made)
    return None


def rewriting(model: Any, at: Number, old: Any, new: Any, sources: Sources) -> Change | None:
    """The change of the source that writes another value; ``None`` where the place is not plain.

    A place is plain where it makes this one layer: not in a loop, nor in a class or helper that makes several.
    """
    if not _once(model, at):
        return None
    if at.node is None:
        return added(at.made.file, at.call, sources.text(at.made.file), at.name, new) if at.call else None
    value = value_of(at.node, at.made.known)
    if isinstance(at.node, ast.Starred) or (value is not UNKNOWN and not same(value, old)):
        return None
    plain_name = isinstance(at.node, (ast.Name, ast.Attribute)) and type(old) is int and type(new) is int
    if plain_name and old > 0 and new % old == 0:
        return instead(at.made.file, at.node, f"{ast.unparse(at.node)} * {new // old}")
    return replaced(at.made.file, at.node, new)


def _once(model: Any, at: Number) -> bool:
    function = at.made.function
    if at.call is None or function is None:
        return True
    if any(isinstance(loop, _LOOPS) and at.call in ast.walk(loop) for loop in ast.walk(function)):
        return False
    if at.made.outer is not None:  # a helper: its text is that of every call of it
        return False
    kind = type(model.get_submodule(at.made.owner)) if at.made.owner is not None else None
    return kind is None or sum(type(module) is kind for module in model.modules()) == 1


def uses(function: ast.FunctionDef, name: str) -> int:
    """How often a function reads one of its parameters."""
    return sum(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load) for n in ast.walk(function))


def _init(model: Any, path: str, sources: Sources) -> tuple[str, ast.FunctionDef, dict[str, Any]] | None:
    for file, tree, known in classes(model.get_submodule(path), sources):
        for node in tree.body:  # type: ignore[attr-defined]  # a class
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                return file, node, known
    return None


def parameter(model: Any, path: str, name: str, old: Any, new: Any, sources: Sources) -> tuple[str, Change | None]:
    """Where the user's own module is given a constructor argument: its line, and the change to another value."""
    found = _init(model, path, sources)
    if found is None:
        return "", None
    file, function, known = found
    outer = made(model, path, sources) if path else None
    order = [other for other in parameters(function) if other != "self"]
    node = given(outer.call, order).get(name) if outer else default_of(function, name)
    here = outer.file if outer else file
    if node is None or not same(value_of(node, outer.known if outer else known), old):
        return (outer.line if outer else f"{file}:{function.lineno}"), None
    return f"{here}:{node.lineno}", replaced(here, node, new)


def assigned_number(
    model: Any, path: str, name: str, old: int, new: int, sources: Sources
) -> tuple[str, Change | None]:
    """Where an attribute is made: its line, and the change of the one number in it that is ``old``."""
    for file, tree, known in classes(model.get_submodule(path), sources):
        for _, value in _assigned(tree, name):
            found = [
                part
                for call in ast.walk(value)
                if isinstance(call, ast.Call)
                for part in call.args
                if not isinstance(part, ast.Call) and value_of(part, known) == old
            ]
            change = replaced(file, found[0], new) if len(found) == 1 else None
            return f"{file}:{value.lineno}", change  # type: ignore[attr-defined]  # an expression
    return "", None
