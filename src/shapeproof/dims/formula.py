"""A formula is written once: evaluated on sizes, printed with its letters, printed with its values."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from shapeproof.dims.dim import ceil_div
from shapeproof.records import dataclass

_APPLIED = {"+": operator.add, "-": operator.sub, "*": operator.mul}
_LEVEL = {"+": 1, "-": 1, "*": 2, "/": 2}


@dataclass(frozen=True)
class Formula:
    """A node of a formula: a name, a number, an operation of two parts, or a rounding of one."""

    kind: str  # "name" "number" "+" "-" "*" "/" "floor" "ceil"
    parts: tuple[Any, ...]

    def __add__(self, other: Formula | int) -> Formula:
        return Formula("+", (self, _node(other)))

    def __sub__(self, other: Formula | int) -> Formula:
        return Formula("-", (self, _node(other)))

    def __mul__(self, other: Formula | int) -> Formula:
        return Formula("*", (self, _node(other)))

    def __rmul__(self, other: int) -> Formula:
        return Formula("*", (_node(other), self))

    def __truediv__(self, other: Formula) -> Formula:
        return Formula("/", (self, other))

    def value(self, sizes: Mapping[str, int]) -> int:
        """Evaluate on sizes, with letters where they carry some. Raises ``KeyError`` for a name without a size."""
        kind, first = self.kind, self.parts[0]
        if kind == "name":
            size: int = sizes[first]
            return size
        if kind == "number":
            return int(first)
        if kind in ("floor", "ceil"):
            above, below = (part.value(sizes) for part in first.parts)
            return above // below if kind == "floor" else ceil_div(above, below)
        applied: int = _APPLIED[kind](first.value(sizes), self.parts[1].value(sizes))
        return applied

    @cached_property
    def letters(self) -> str:
        """The formula written with its letters (``2p``)."""
        return self._text(None)

    @cached_property
    def _pattern(self) -> str:
        """The formula with its values, for sizes that are written as one number: a hole for each name."""
        return self._text(_Holes())

    def text(self, sizes: Mapping[str, int] | None = None) -> str:
        """Write the formula, with its letters (``2p``) or, given sizes, with its values (``2*2``)."""
        if not sizes:
            return self.letters
        if all(type(size) is int and size >= 0 for size in sizes.values()):
            return self._pattern.format_map(sizes)
        return self._text({name: _written(size) for name, size in sizes.items()})

    def _text(self, values: Mapping[str, str] | None) -> str:
        if self.kind == "name":
            return str(self.parts[0]) if values is None else values[self.parts[0]]
        if self.kind == "number":
            return str(self.parts[0])
        if self.kind in ("floor", "ceil"):
            return f"{self.kind}({self.parts[0]._text(values)})"
        left, right = (self._wrapped(part, place, values) for place, part in enumerate(self.parts))
        if self.kind in "+-":
            return f"{left} {self.kind} {right}"
        return f"{left}{right}" if self.kind == "*" and values is None else f"{left}{self.kind}{right}"

    def _wrapped(self, part: Formula, place: int, values: Mapping[str, str] | None) -> str:
        text = part._text(values)
        level = _LEVEL.get(part.kind, 3)
        compound = values is not None and " " in text and part.kind == "name"
        if level < _LEVEL[self.kind] or (place and level == _LEVEL[self.kind] and self.kind in "-/"):
            return f"({text})"
        return f"({text})" if compound and (self.kind in "*/" or place) else text


class _Holes(dict[str, str]):
    """A place to fill in for every name."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


def _written(size: int) -> str:
    return f"({size})" if int(size) < 0 else str(size)


def _node(part: Formula | int) -> Formula:
    return part if isinstance(part, Formula) else Formula("number", (part,))


def names(text: str) -> tuple[Formula, ...]:
    """Make one name for each word of a text such as ``"H p k s"``."""
    return tuple(Formula("name", (word,)) for word in text.split())


def floor_of(fraction: Formula) -> Formula:
    """Round a fraction down."""
    return Formula("floor", (fraction,))


def ceil_of(fraction: Formula) -> Formula:
    """Round a fraction up."""
    return Formula("ceil", (fraction,))


def arithmetic(formula: Formula, sizes: Mapping[str, int]) -> str:
    """Write the line that a person would: the formula with its values, and what comes out."""
    return f"{formula.text(sizes)} = {formula.value(sizes)}"
