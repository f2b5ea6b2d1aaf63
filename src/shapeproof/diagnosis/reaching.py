"""A plain function that reaches its layers by name, held as a module so that its layers can be found and edited."""

from __future__ import annotations

from types import CellType, FunctionType
from typing import Any

from torch import nn


class Reaching(nn.Module):
    """A function, with the modules that it reads from the names around it as its own."""

    def __init__(self, function: FunctionType) -> None:
        """Keep the function; its modules get the names by which it reaches them."""
        super().__init__()
        self.function = function
        for name, held in reached(function).items():
            self.add_module(name, held)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, as it is written now, on the modules that are held here."""
        old = self.function
        mine = dict(self.named_children())
        cells = dict(zip(old.__code__.co_freevars, old.__closure__ or (), strict=True))
        closure = tuple(CellType(mine[n]) if n in mine else cells[n] for n in old.__code__.co_freevars)
        around = {**old.__globals__, **{n: m for n, m in mine.items() if n not in cells}}
        made = FunctionType(old.__code__, around, old.__name__, old.__defaults__, closure)
        made.__kwdefaults__ = old.__kwdefaults__
        return made(*args, **kwargs)


def reached(function: FunctionType) -> dict[str, nn.Module]:
    """The modules that a function reads from its closure and from the globals of its file."""
    code = function.__code__
    found = {name: function.__globals__.get(name) for name in code.co_names}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # a name that has no value yet
            continue
    return {name: held for name, held in found.items() if isinstance(held, nn.Module)}


def held(model: Any) -> Any:
    """The function with its modules as its own; any other model as it is."""
    return Reaching(model) if isinstance(model, FunctionType) and reached(model) else model
