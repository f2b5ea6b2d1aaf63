"""Candidate edits in a person's words: of a constructor's argument, of the input, of an expression in ``forward``."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from shapeproof.diagnosis.case import Case
from shapeproof.diagnosis.edits import (
    Apply,
    Edit,
    Setup,
    after_module,
    before_module,
    input_changed,
    module_changed,
    noted,
    put,
    source_changed,
    together,
)
from shapeproof.diagnosis.place import Number, number, rewriting
from shapeproof.diagnosis.reading import UNKNOWN, given, value_of
from shapeproof.diagnosis.rebuild import arguments
from shapeproof.diagnosis.source import Change, Spot, instead, node_at, written
from shapeproof.rules.registry import show


def argument(
    case: Case, path: str | None, attribute: str, new: Any, cost: float = 0.0, code: str = "",
    besides: dict[str, Any] | None = None,
) -> list[Edit]:  # fmt: skip
    """Another value for a constructor's argument of the layer at ``path``; ``besides`` changes with it."""
    model = case.setup.model
    if path is None or not isinstance(model, nn.Module):
        return []
    module: Any = model.get_submodule(path)
    old = arguments(module).get(attribute, getattr(module, attribute, None))
    if old == new:
        return []
    changes = {attribute: new, **(besides or {})}
    at = number(model, path, attribute, old, case.setup.sources)
    written_new = [_rewriting(case, path, name, getattr(module, name, None), value) for name, value in changes.items()]
    apply = together(module_changed(path, changes), noted(*written_new))
    more = "".join(f" and {name} to {value}" for name, value in (besides or {}).items())
    text = f"{_where(at)}change {_named(case, path, attribute, at)} from {_short(old)} to {_short(new)}{more}."
    text = text if at else text[0].upper() + text[1:]
    edits = [Edit("argument", path, attribute, old, new, text, apply, cost, code, at.line if at else "")]
    return edits + _at_the_owner(case, at, path, old, new, cost + 0.2, code)


def _rewriting(case: Case, path: str, name: str, old: Any, new: Any) -> Change | None:
    at = number(case.setup.model, path, name, old, case.setup.sources)
    return rewriting(case.setup.model, at, old, new, case.setup.sources) if at else None


def _where(at: Number | None) -> str:
    return f"In {at.line}, " if at else ""


def _short(value: Any) -> Any:
    """A value as a person writes it; one number where every axis has the same."""
    if isinstance(value, (tuple, list)) and len(value) > 1 and len(set(value)) == 1:
        return value[0]
    return tuple(value) if isinstance(value, list) else value


def _named(case: Case, path: str, attribute: str, at: Number | None) -> str:
    kind = type(case.setup.model.get_submodule(path)).__name__
    layer = f"{attribute} of {path or 'the model'} ({kind})"
    if at is None or (at.path == path and at.name == attribute):
        return layer
    owner = f"{at.path} ({type(case.setup.model.get_submodule(at.path)).__name__})" if at.path else "the model"
    return f"{at.name} of {owner}, which is {layer},"


def _at_the_owner(case: Case, at: Number | None, path: str, old: Any, new: Any, cost: float, code: str) -> list[Edit]:
    """The same number where the owning module is made: it is constructed again with another value."""
    if at is None or at.call is None or at.path in ("", path) or at.node is None:
        return []
    model, order = case.setup.model, _order(case, at)
    passed = {name: value_of(node, at.made.known) for name, node in given(at.call, order).items()}
    if not order or UNKNOWN in passed.values() or passed.get(at.name) != old:
        return []
    owner = model.get_submodule(at.path)
    change = rewriting(model, at, old, new, case.setup.sources)

    def apply(setup: Setup) -> None:
        made = type(owner)(**{**passed, at.name: new})
        put(setup, at.path, made.train(owner.training))
        setup.sources.note(change)

    text = f"In {at.line}, change {at.name} of {at.path} ({type(owner).__name__}) from {old} to {new}."
    return [Edit("argument", at.path, at.name, old, new, text, apply, cost, code, at.line)]


def _order(case: Case, at: Number) -> list[str]:
    """The names of the owner's constructor arguments, where the call is that of its class."""
    owner: Any = case.setup.model.get_submodule(at.path)
    called = at.call.func if at.call else None
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    if name != type(owner).__name__:
        return []
    code = getattr(type(owner).__init__, "__code__", None)
    return list(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]) if code else []


def input_edit(
    case: Case, place: int | str, attribute: str, call: str, change: Callable[[Tensor], Tensor],
    cost: float = 0.0, code: str = "",
) -> Edit:  # fmt: skip
    """Another input, as the caller of the model would give it."""
    held: Any = case.setup.args if isinstance(place, int) else case.setup.kwargs
    old = held[place]
    new = tuple(change(old).shape)
    which = "it" if place == case.setup.first()[0] else f"argument {place + 1 if isinstance(place, int) else place}"  # type: ignore[index]
    text = (
        f"Where the model is called, give {which} {call}: an input of {show(new)} instead of {show(tuple(old.shape))}."
    )
    return Edit("input", "", attribute, tuple(old.shape), new, text, input_changed(place, change), cost, code)


def wrap(
    case: Case, index: int, template: str, words: str, change: Callable[[Tensor], Tensor],
    cost: float = 0.0, code: str = "", new: str = "", attribute: str = "", kind: str = "insert",
) -> list[Edit]:  # fmt: skip
    """An operation put in before the failed call, around one of its operands.

    Args:
        case: the failed run.
        index: which operand.
        template: the new expression, ``{}`` for the old one.
        words: what is done, such as ``"flatten all but the batch"``.
        change: the same done to a tensor, for a layer whose place in ``forward`` is not plain.
        cost: as for :class:`Edit`.
        code: likewise.
        new: the operation with ``x`` for its operand.
        attribute: the operation's name.
        kind: ``"insert"``, or ``"call"`` where it is rather an argument that is written otherwise.
    """
    node = case.operand(index)
    module = case.path or ""
    shown_new = new or template.replace("{}", "x")
    if node is not None and case.spot is not None:
        filled = _filled(template, node, case.text)
        return [expression(case, case.spot, node, filled, words, kind, shown_new, cost, code, attribute)]
    if case.path is None or index:
        return []
    place = f" (called at {case.call.source})" if case.call.source else ""
    text = f"Before {module or 'the model'}{place}, {words}: insert {shown_new}."
    at = case.call.source
    return [Edit("insert", module, attribute, None, shown_new, text, before_module(module, change), cost, code, at)]


def _filled(template: str, node: ast.AST, text: str) -> str:
    """The template with a node's text in it, in brackets where they are needed."""
    old = written(node, text)
    plain = isinstance(node, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)) or "({}" in template
    return template.replace("{}", old if plain else f"({old})")


def expression(
    case: Case, spot: Spot | None, node: Any, new: str, words: str, kind: str = "call", shown_new: Any = "",
    cost: float = 0.0, code: str = "", attribute: str = "", module: str | None = None,
) -> Edit:  # fmt: skip
    """New text for one expression in a function of the user's."""
    assert spot is not None  # there is a node only where there is a spot
    file = spot[0].co_filename
    old = written(node, case.setup.sources.text(file))
    change = instead(file, node, new)
    line = f"{file}:{node.lineno}"
    text = f"At {line}, {words}: write {_one_line(new)} instead of {_one_line(old)}."
    path = (case.path or case.call.module) if module is None else module
    before = None if kind == "insert" else _one_line(old)
    after = shown_new or _one_line(new)
    return Edit(kind, path, attribute, before, after, text, source_changed(spot, change), cost, code, line)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def around(
    case: Case, template: str, words: str, before: Callable[[Tensor], Tensor], after: Callable[[Tensor], Tensor],
    cost: float = 0.0, code: str = "",
) -> list[Edit]:  # fmt: skip
    """The failed layer called on a changed tensor, and its result changed back; ``template`` has ``{}`` twice."""
    if case.path is None:
        return []
    node, operand = case.node, case.operand(0)
    shown_new = template.replace("{f}", "layer").replace("{}", "x")
    if operand is not None and isinstance(node, ast.Call) and case.spot is not None:
        new = template.replace("{f}", written(node.func, case.text)).replace("{}", written(operand, case.text))
        return [expression(case, case.spot, node, new, words, "insert", shown_new, cost, code, "layout")]
    text = f"Around {case.path} (called at {case.call.source}), {words}: {shown_new}."
    apply: Apply = together(before_module(case.path, before), after_module(case.path, after))
    return [Edit("insert", case.path, "layout", None, shown_new, text, apply, cost, code, case.call.source)]


def call_node(case: Case, spot: Spot | None) -> Any:
    """The expression of an earlier call."""
    return node_at(spot, case.setup.sources)
