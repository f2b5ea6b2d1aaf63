"""A formula is written once: evaluated on sizes, printed with its letters, printed with its values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from shapeproof.dims.dim import ceil_div
from shapeproof.records import dataclass

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
        if self.kind == "name":
            return sizes[str(self.parts[0])]
        if self.kind == "number":
            return int(self.parts[0])
        if self.kind in ("floor", "ceil"):
            above: int = self.parts[0].parts[0].value(sizes)
            below: int = self.parts[0].parts[1].value(sizes)
            return above // below if self.kind == "floor" else ceil_div(above, below)
        left: int = self.parts[0].value(sizes)
        right: int = self.parts[1].value(sizes)
        return left + right if self.kind == "+" else left - right if self.kind == "-" else left * right

    @cached_property
    def letters(self) -> str:
        """The formula written with its letters (``2p``)."""
        return self._text(None)

    def text(self, sizes: Mapping[str, int] | None = None) -> str:
        """Write the formula, with its letters (``2p``) or, given sizes, with its values (``2*2``)."""
        return self._text(sizes) if sizes else self.letters

    def _text(self, sizes: Mapping[str, int] | None) -> str:
        if self.kind == "name":
            return _written(sizes[self.parts[0]]) if sizes else str(self.parts[0])
        if self.kind == "number":
            return str(self.parts[0])
        if self.kind in ("floor", "ceil"):
            return f"{self.kind}({self.parts[0]._text(sizes)})"
        left, right = (self._wrapped(part, place, sizes) for place, part in enumerate(self.parts))
        if self.kind in "+-":
            return f"{left} {self.kind} {right}"
        return f"{left}{right}" if self.kind == "*" and not sizes else f"{left}{self.kind}{right}"

    def _wrapped(self, part: Formula, place: int, sizes: Mapping[str, int] | None) -> str:
        text = part._text(sizes)
        level = _LEVEL.get(part.kind, 3)
        compound = sizes is not None and " " in text and part.kind == "name"
        if level < _LEVEL[self.kind] or (place and level == _LEVEL[self.kind] and self.kind in "-/"):
            return f"({text})"
        return f"({text})" if compound and (self.kind in "*/" or place) else text


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
