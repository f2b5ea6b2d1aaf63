"""Dataclasses that are made in a fifth of the time, since a first call pays for every class that it loads.

The standard decorator compiles up to six methods for each class, half a millisecond for a frozen one: for the thirty
classes of a derivation, longer than a small network's forward. Here ``__init__`` alone is compiled, when the first of a
class is made or, for those that every derivation makes, when the class is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["dataclass", "usual"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: bool = False) -> Callable[[type], type]:
        """As :func:`dataclasses.dataclass`, without order and slots; ``fields`` and ``replace`` take what it makes."""
        return lambda cls: _made(cls, frozen)


Class = TypeVar("Class", bound=type)


def usual(cls: Class) -> Class:
    """Mark a class that every derivation makes: nothing of it is left for later."""
    cls.__init__  # type: ignore[misc]  # noqa: B018  # asked for, and thereby compiled
    return cls


def _made(cls: Any, frozen: bool) -> Any:
    cls = dataclasses.dataclass(init=False, repr=False, eq=False)(cls)
    entries = dataclasses.fields(cls)
    methods = {
        "__init__": _Init(cls),
        "__repr__": _repr,
        **_equality([e.name for e in entries if e.compare]),
    }
    if frozen:
        methods |= {"__setattr__": _refused, "__delattr__": _refused}
    else:
        methods["__hash__"] = None
    for name, method in methods.items():
        if name not in vars(cls):
            setattr(cls, name, method)
    return cls


class _Init:
    """Stands for the ``__init__`` of a class until that is asked for."""

    def __init__(self, cls: Any) -> None:
        self.cls = cls

    def __get__(self, instance: Any, owner: type) -> Any:
        self.cls.__init__ = made = _init(self.cls)
        return made.__get__(instance, owner)


def _init(cls: Any) -> Any:
    """Takes the fields by place or name, writes them past a frozen class's own ``__setattr__``, and lets it check."""
    frozen = cls.__setattr__ is _refused
    scope: dict[str, Any] = {"MISSING": dataclasses.MISSING}
    arguments, lines = ["self"], ["__values = self.__dict__"] if frozen else []
    for entry in dataclasses.fields(cls):
        name, value = entry.name, entry.name
        if entry.default_factory is not dataclasses.MISSING:
            scope[f"make_{name}"], scope[f"default_{name}"] = entry.default_factory, dataclasses.MISSING
            value = f"make_{name}() if {name} is MISSING else {name}"
        elif entry.default is not dataclasses.MISSING:
            scope[f"default_{name}"] = entry.default
        arguments.append(f"{name}=default_{name}" if f"default_{name}" in scope else name)
        lines.append(f"__values[{name!r}] = {value}" if frozen else f"self.{name} = {value}")
    lines += ["self.__post_init__()"] if hasattr(cls, "__post_init__") else []
    made: dict[str, Any] = {}
    exec(f"def __init__({', '.join(arguments)}): {'; '.join(lines)}", scope, made)  # noqa: S102  # of our own fields
    return made["__init__"]


def _equality(names: list[str]) -> dict[str, Any]:
    """Equal where the class is the same one and what is compared is; hashed by that."""
    values: Callable[[Any], Any] = attrgetter(*names) if names else type

    def eq(self: Any, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return {"__eq__": eq, "__hash__": lambda self: hash(values(self))}


def _repr(self: Any) -> str:
    shown = (f"{entry.name}={getattr(self, entry.name)!r}" for entry in dataclasses.fields(self) if entry.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refused(self: Any, name: str, *_: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot change {name!r}: a {type(self).__name__} stays as it was made")
