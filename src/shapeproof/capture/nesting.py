"""Tensors inside tuples, lists, dictionaries and dataclasses, however a model nests them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from torch import Tensor

Change = Callable[[Tensor], Any]
Leaf = TypeVar("Leaf")
_PLAIN = frozenset((str, int, float, bool, bytes, type(None)))  # what holds nothing, told at once by its very type


def tensors(value: Any) -> Iterator[Tensor]:
    """Every tensor in the arguments of an operation, in order."""
    return leaves(value, Tensor)


def leaves(value: Any, kind: type[Leaf]) -> Iterator[Leaf]:
    """Everything of one kind in nested tuples, lists and dictionaries, in order."""
    found: list[Leaf] = []
    _gather((value,), kind, found)
    return iter(found)


def _gather(values: Iterable[Any], kind: type[Leaf], found: list[Leaf]) -> None:
    for value in values:
        if type(value) in _PLAIN:
            continue
        if isinstance(value, kind):
            found.append(value)
        elif isinstance(value, (tuple, list)):
            _gather(value, kind, found)
        elif isinstance(value, dict):
            _gather(value.values(), kind, found)


def mapped(change: Change, value: Any) -> Any:
    """The same nesting with ``change(tensor)`` for every tensor; containers are copied, anything else is kept."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, (str, int, float, bytes)):
        return value
    if isinstance(value, (tuple, list)):
        return _sequence(value, [part if type(part) in _PLAIN else mapped(change, part) for part in value])
    if isinstance(value, slice):  # ``x[a:b]`` with tensors of one number
        edges = (value.start, value.stop, value.step)
        return value if _PLAIN.issuperset(map(type, edges)) else slice(*(mapped(change, edge) for edge in edges))
    if type(value) is dict:
        return {key: mapped(change, part) for key, part in value.items()}
    names = _names(value)
    if not names or not any(True for name in names for _ in tensors(_get(value, name))):
        return value
    copied = copy.copy(value)
    for name in names:
        _put(copied, name, mapped(change, _get(value, name)))
    return copied


def outlined(change: Change, value: Any) -> Any:
    """The nesting as plain tuples, lists and dictionaries; ``None`` for whatever is no tensor."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, (tuple, list)):
        parts = [outlined(change, part) for part in value]
        return parts if isinstance(value, list) else tuple(parts) if not _is_named(value) else type(value)(*parts)
    names = _names(value)
    if not names and hasattr(value, "__dict__") and not isinstance(value, type):
        names = [name for name, part in vars(value).items() if any(True for _ in tensors(part))]
    return {name: outlined(change, _get(value, name)) for name in names} if names else None


def _is_named(value: Any) -> bool:
    """Whether a tuple is a plain named one, whose places may hold anything."""
    return type(value).__bases__ == (tuple,) and hasattr(value, "_fields")


def _sequence(value: Any, parts: list[Any]) -> Any:
    if type(value) in (tuple, list):
        return type(value)(parts)
    if all(new is old for new, old in zip(parts, value, strict=True)):
        return value
    if hasattr(value, "_fields"):
        return type(value)(*parts)
    return parts if isinstance(value, list) else tuple(parts)


def _names(value: Any) -> list[Any]:
    """The keys of a mapping, or the fields of a dataclass; a mapping that is both speaks by its keys."""
    if isinstance(value, Mapping):
        return list(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [entry.name for entry in dataclasses.fields(value) if hasattr(value, entry.name)]
    return []


def _get(value: Any, name: Any) -> Any:
    return value[name] if isinstance(value, Mapping) else getattr(value, name)


def _put(value: Any, name: Any, part: Any) -> None:
    if isinstance(value, Mapping):
        value[name] = part  # type: ignore[index]  # a copy of a mapping that its owner can write
    else:
        object.__setattr__(value, name, part)  # a frozen dataclass's copy too
