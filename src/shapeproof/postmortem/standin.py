"""Modules that stand in for what is no module, so that the layers which it uses have paths and can be edited."""

from __future__ import annotations

import copy
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import nn


def method_of(owner: nn.Module, name: str) -> nn.Module:
    """A module that shares everything with ``owner``, and whose forward is another of its methods."""
    standing = copy.copy(owner)
    standing.__dict__["forward"] = types.MethodType(getattr(type(owner), name), standing)
    return standing


class Together(nn.Module):
    """A function and the modules that it reaches: given to it, by global name, from outside, or in its object.

    A module that the function was called with is passed on from here, so that an edit of it is seen.
    """

    _function: Any
    _held: Any

    def __init__(
        self, function: Callable[..., Any], owner: Any = None, given: Mapping[str, nn.Module] | None = None
    ) -> None:
        super().__init__()
        self.__dict__["_function"], self.__dict__["_held"] = function, owner
        for name, module in (*(given or {}).items(), *_reached(function, owner)):
            if not hasattr(self, name):
                self.add_module(name, module)
        self.__class__ = type(function.__qualname__.split("<locals>.")[-1], (Together,), {})

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function with its modules as they are here."""
        function, children = self._function, self._modules
        cells = tuple(_cell(name, cell, children) for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ))  # fmt: skip
        names = {**function.__globals__, **{k: v for k, v in children.items() if k in function.__globals__}}
        again = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, cells)
        again.__kwdefaults__ = function.__kwdefaults__
        held = () if self._held is None else (_holding(self._held, children),)
        parameters = function.__code__.co_varnames[len(held) :]
        placed = [children.get(name, arg) if isinstance(arg, nn.Module) else arg for name, arg in zip(
            parameters, args, strict=False
        )]  # fmt: skip
        named = {k: children.get(k, arg) if isinstance(arg, nn.Module) else arg for k, arg in kwargs.items()}
        return again(*held, *placed, *args[len(placed) :], **named)


def _holding(owner: Any, children: dict[str, Any]) -> Any:
    """An object like this one, with these modules: what the function changes of it is not the user's."""
    copied = copy.copy(owner)
    held = getattr(copied, "__dict__", {})
    held.update({name: module for name, module in children.items() if name in held})
    return copied


def _cell(name: str, cell: types.CellType, children: dict[str, Any]) -> types.CellType:
    return types.CellType(children[name]) if name in children else cell


def _reached(function: Any, owner: Any) -> Iterator[tuple[str, nn.Module]]:
    """Modules by the names under which a function finds them."""
    code = function.__code__
    places = {name: function.__globals__.get(name) for name in code.co_names}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            places[name] = cell.cell_contents
        except ValueError:  # not yet given a value
            continue
    places |= getattr(owner, "__dict__", {})
    for name, value in places.items():
        if isinstance(value, nn.Module) and name.isidentifier():
            yield name, value
