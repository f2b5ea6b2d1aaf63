"""What the rules have answered in one run: networks repeat their layers, and a rule says the same of the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from shapeproof.dims import Dim, plain
from shapeproof.dims.conditions import Condition, collecting, note
from shapeproof.rules.registry import Derived, Operand, Rule

_PLAIN = frozenset((int, str, type(None), type(...)))
_INTS = frozenset([int])
_TYPED = (bool, float, complex, torch.dtype, torch.device, torch.layout, torch.memory_format)


class Answers:
    """Asks rules, and asks none a second time with the same arguments."""

    def __init__(self) -> None:
        """Nothing answered yet."""
        self._known: dict[Any, tuple[Derived, Sequence[Condition]]] = {}

    def ask(self, rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Derived:
        """What the rule says of a call; what it states of letters is noted each time. Raises as the rule does."""
        try:
            key = (rule.name, _key(args), _key(kwargs))
        except TypeError:
            return rule(args, kwargs)
        if key in self._known:
            derived, stated = self._known[key]
            for condition in stated:
                note(condition)
            return derived
        with collecting() as conditions:
            derived = rule(args, kwargs)
        self._known[key] = derived, conditions
        return derived


def _key(value: Any) -> Any:
    """Equal for two arguments only where no rule can tell them apart: ``True`` is not 1, nor is a letter its number.

    Raises:
        TypeError: for what may change, or is not known to be of that kind.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is Operand:  # whatever made it
        return kind, _key(value.shape), value.dtype, value.stride, _key(value.below)
    if kind is Dim:
        return kind, plain(value), value.expr
    if kind is tuple and _INTS.issuperset(map(type, value)):  # as shapes, strides and windows are
        return value
    if kind in (tuple, list, torch.Size):
        return kind, *[part if type(part) in _PLAIN else _key(part) for part in value]
    if kind is slice:
        return kind, _key(value.start), _key(value.stop), _key(value.step)
    if kind is dict:
        return kind, *[(name, part if type(part) in _PLAIN else _key(part)) for name, part in value.items()]
    if kind in _TYPED:
        return kind, value
    raise TypeError(f"a {kind.__name__} is not compared")
