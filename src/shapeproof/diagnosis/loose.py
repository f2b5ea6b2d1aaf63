"""Layers that no class of the user's assigns to itself: made in a script, in a factory, or put into a ready network."""

from __future__ import annotations

import ast
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import nn

from shapeproof.capture.source import is_ours, is_users
from shapeproof.diagnosis.reaching import Reaching
from shapeproof.diagnosis.reading import agrees, called_name, calls_of
from shapeproof.diagnosis.rebuild import torch_class
from shapeproof.diagnosis.source import Sources, parsed
from shapeproof.records import dataclass

Assigned = tuple[tuple[str, ...], ast.expr, "ast.FunctionDef | None"]
_STANDARD = sysconfig.get_paths()["stdlib"]
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(frozen=True)
class Place:
    """An expression in a file of the user's that makes a module.

    Attributes:
        file: the file.
        value: the expression.
        function: the function in which it stands, if any.
        known: what the names of the file stand for.
        depth: how many names of the module's path lead to what the expression makes.
    """

    file: str
    value: ast.expr
    function: ast.FunctionDef | None
    known: dict[str, Any]
    depth: int


def installed(file: str) -> bool:
    """Whether a file belongs to a package that was installed, or to Python: nobody edits that."""
    return "site-packages" in Path(file).parts or file.startswith((_STANDARD, "<frozen"))


def put_in(model: nn.Module, path: str, sources: Sources) -> Iterator[Place]:
    """Assignments from outside that can have put a module where it is, as ``model.fc = nn.Linear(512, 10)`` does."""
    parts = tuple(path.split("."))
    for files in _tiers(model):
        found = []
        for file, known in files.items():
            for names, value, function in _assignments(sources.text(file)):
                cut = _fits(parts, names, isinstance(model, Reaching))
                if cut:
                    found.append(Place(file, value, function, known, cut))
        if found:
            yield from sorted(found, key=lambda place: -place.depth)
            return


def _fits(parts: tuple[str, ...], names: tuple[str, ...], plain: bool) -> int:
    """How many names of a path an assignment's target covers; 0 where it is about something else."""
    if plain and len(names) == 1:
        return int(names[0] == parts[0])
    inner = names[1:]
    if not inner or (names[0] == "self" and len(inner) == 1):  # that a class assigns itself is looked up there
        return 0
    cuts = [cut for cut in range(len(inner), len(parts) + 1) if parts[cut - len(inner) : cut] == inner]
    return cuts[0] if cuts else 0


def containers(model: nn.Module, path: str, sources: Sources) -> Iterator[Place]:
    """Calls that can have made the outermost container of a module which no class of the user's makes."""
    parts = path.split(".") if path else []
    for cut in range(len(parts)):
        module = model.get_submodule(".".join(parts[:cut]))
        if not isinstance(module, nn.Sequential) or not _plain_owner(model, parts, cut):
            continue
        for files in _tiers(model):
            found = [
                Place(file, call, function, known, cut)
                for file, known in files.items()
                for call, function in _sequentials(sources.text(file))
                if _can_have_made(call, module, known)
            ]
            exact = [place for place in found if not _starred(place.value)]
            if len(exact or found) == 1:
                yield (exact or found)[0]
                return


def _plain_owner(model: nn.Module, parts: list[str], cut: int) -> bool:
    """Whether everything around a container is a container too, or the user's own."""
    owners = [model.get_submodule(".".join(parts[:n])) for n in range(cut)]
    return all(isinstance(o, _CONTAINERS) or not installed(_file_of(type(o))) for o in owners)


def _file_of(kind: type) -> str:
    return getattr(sys.modules.get(kind.__module__), "__file__", None) or ""


def _starred(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and any(isinstance(arg, ast.Starred) for arg in value.args)


def _can_have_made(call: ast.Call, module: nn.Sequential, known: dict[str, Any]) -> bool:
    """Whether a call of ``Sequential`` is written as the container is built."""
    if _starred(call):
        return True
    if len(call.args) == 1 and called_name(call.args[0]) == "OrderedDict":
        return True
    return len(call.args) == len(module) and all(
        _element_fits(value, child, known) for value, child in zip(call.args, module, strict=True)
    )


def _element_fits(value: ast.expr, module: nn.Module, known: dict[str, Any]) -> bool:
    name, kind = called_name(value), torch_class(module)
    if isinstance(module, nn.Sequential) and name == "Sequential" and isinstance(value, ast.Call):
        return _can_have_made(value, module, known)
    if isinstance(value, ast.Call) and kind is not None and name == kind.__name__:
        return agrees(value, module, kind, known)
    return not hasattr(nn, name)  # a helper, a class of the user's or a name


def _tiers(model: nn.Module) -> Iterator[dict[str, dict[str, Any]]]:
    """The user's files, with what their names stand for: those that run now first, then those that are loaded."""
    running: dict[str, dict[str, Any]] = {}
    if isinstance(model, Reaching):
        running[model.function.__code__.co_filename] = model.function.__globals__
    for frame, _ in traceback.walk_stack(None):
        if _of_interest(frame.f_code.co_filename):
            running.setdefault(frame.f_code.co_filename, frame.f_globals)
    yield running
    loaded = {getattr(m, "__file__", None) or "": vars(m) for m in list(sys.modules.values()) if hasattr(m, "__dict__")}
    yield {file: known for file, known in loaded.items() if file not in running and _of_interest(file)}


@lru_cache(maxsize=4096)
def _of_interest(file: str) -> bool:
    return bool(file) and is_users(file) and not is_ours(file) and not installed(file)


@lru_cache(maxsize=256)
def _functions(text: str) -> tuple[tuple[ast.FunctionDef, frozenset[int]], ...]:
    """The functions of a file, the outer first, each with the nodes in it."""
    tree = parsed(text)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)] if tree else []
    return tuple((function, frozenset(map(id, ast.walk(function)))) for function in found)


def _around(node: ast.AST, text: str) -> ast.FunctionDef | None:
    return next((function for function, inner in reversed(_functions(text)) if id(node) in inner), None)


@lru_cache(maxsize=256)
def _assignments(text: str) -> tuple[Assigned, ...]:
    """What a file assigns: the names of each target, ``model.classifier[6]`` as three."""
    tree = parsed(text)
    found = []
    for node in ast.walk(tree) if tree and "nn" in text else ():
        if isinstance(node, ast.Assign):
            found += [
                (names, value, _around(node, text)) for target, value in _pairs(node) if (names := _dotted(target))
            ]
    return tuple(found)


def _pairs(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Each target with its value; those of ``a, b = A(), B()`` one by one."""
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts, strict=False)
        else:
            yield target, node.value


def _dotted(node: ast.expr) -> tuple[str, ...]:
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return (*inner, node.attr) if inner else ()
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        inner = _dotted(node.value)
        return (*inner, str(node.slice.value)) if inner else ()
    return ()


@lru_cache(maxsize=256)
def _sequentials(text: str) -> tuple[tuple[ast.Call, ast.FunctionDef | None], ...]:
    tree = parsed(text)
    return tuple((call, _around(call, text)) for call in calls_of(tree, "Sequential")) if tree else ()
