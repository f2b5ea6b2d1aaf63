"""Integers that carry the expression they came from, so that one run gives numbers and letters together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from fractions import Fraction
from typing import Any, TypeAlias

from shapeproof.dims.expr import Poly, constant, divide, floor, symbol

Size: TypeAlias = int
Shape: TypeAlias = tuple[int, ...]


class Dim(int):
    """An ``int`` with, beside its value, the expression in letters that it was computed from.

    Arithmetic keeps the expression; comparisons are those of the value. A result without letters is a plain ``int``.
    """

    expr: Poly

    def __new__(cls, value: int, expr: Poly) -> Dim:
        """Make an integer ``value`` that stands for ``expr``."""
        self = super().__new__(cls, value)
        self.expr = expr
        return self

    def __repr__(self) -> str:
        return str(self.expr)

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(str(self.expr), spec) if not spec or spec[-1] not in "dnbxX" else int.__format__(self, spec)

    def __reduce__(self) -> tuple[Any, ...]:
        return Dim, (int(self), self.expr)

    __hash__ = int.__hash__

    def __bool__(self) -> bool:
        return self != 0

    def __eq__(self, other: object) -> bool:
        return _compared("==", self, other, int.__eq__(self, other)) is True

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __ge__(self, other: Any) -> Any:
        return _compared(">=", self, other, int.__ge__(self, other))

    def __le__(self, other: Any) -> Any:
        return _compared("<=", self, other, int.__le__(self, other))

    def __gt__(self, other: Any) -> Any:
        return _compared(">", self, other, int.__gt__(self, other))

    def __lt__(self, other: Any) -> Any:
        return _compared("<", self, other, int.__lt__(self, other))

    def __add__(self, other: Any) -> Any:
        return _binary(self, other, int.__add__, lambda a, b: a + b)

    def __sub__(self, other: Any) -> Any:
        return _binary(self, other, int.__sub__, lambda a, b: a - b)

    def __mul__(self, other: Any) -> Any:
        return _binary(self, other, int.__mul__, lambda a, b: a * b)

    def __floordiv__(self, other: Any) -> Any:
        return _binary(self, other, int.__floordiv__, lambda a, b: floor(divide(a, b)))

    def __mod__(self, other: Any) -> Any:
        return _binary(self, other, int.__mod__, lambda a, b: a - b * floor(divide(a, b)))

    def __radd__(self, other: Any) -> Any:
        return _binary(self, other, lambda a, b: b + a, lambda a, b: b + a)

    def __rsub__(self, other: Any) -> Any:
        return _binary(self, other, lambda a, b: b - a, lambda a, b: b - a)

    def __rmul__(self, other: Any) -> Any:
        return _binary(self, other, lambda a, b: b * a, lambda a, b: b * a)

    def __rfloordiv__(self, other: Any) -> Any:
        return _binary(self, other, lambda a, b: b // a, lambda a, b: floor(divide(b, a)))

    def __rmod__(self, other: Any) -> Any:
        return _binary(self, other, lambda a, b: b % a, lambda a, b: b - a * floor(divide(b, a)))

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __neg__(self) -> Any:
        return Dim(-int(self), self.expr.scaled(-1))

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, (int, float)) and other:
            return DimFloat(int(self) / other, divide(self.expr, expr_of(other)))
        return NotImplemented if not isinstance(other, (int, float)) else int(self) / other


# Told of each comparison of a letter that the model's own Python makes; set while that Python runs.
Watcher: TypeAlias = Callable[[str, int, int, bool], None]
watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


def _compared(kind: str, a: Dim, b: Any, outcome: Any) -> Any:
    tell = watcher.get()
    if tell is not None and isinstance(b, int) and outcome is not NotImplemented:
        tell(kind, a, b, outcome)
    return outcome


class DimFloat(float):
    """A ``float`` computed from sizes, with its exact expression; rounding it gives a :class:`Dim` again."""

    expr: Poly

    def __new__(cls, value: float, expr: Poly) -> DimFloat:
        """Make a float ``value`` that stands for ``expr``."""
        self = super().__new__(cls, value)
        self.expr = expr
        return self

    def __floor__(self) -> int:
        return sized(math.floor(float(self)), floor(self.expr))

    def __ceil__(self) -> int:
        return sized(math.ceil(float(self)), floor(self.expr.scaled(-1)).scaled(-1))

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, (int, float)):
            return DimFloat(float(self) * float(other), self.expr * expr_of(other))
        return NotImplemented

    __rmul__ = __mul__


def _binary(a: Dim, b: Any, on_int: Callable[[int, int], Any], on_expr: Callable[[Poly, Poly], Poly]) -> Any:
    if isinstance(b, float):
        made = getattr(float(a), on_int.__name__, None)
        value = made(b) if made else on_int(float(a), b)  # type: ignore[arg-type]  # a reflected float operation
        product = on_int is int.__mul__
        return DimFloat(value, a.expr * expr_of(b)) if product and math.isfinite(b) else value
    if not isinstance(b, int):
        return NotImplemented
    return sized(on_int(int(a), int(b)), on_expr(a.expr, expr_of(b)))


def sized(value: int, expr: Poly) -> int:
    """A :class:`Dim`, or the plain ``int`` where the expression has no letters."""
    return value if expr.is_constant else Dim(value, expr)


def letter(name: str, value: int) -> Dim:
    """A free dimension called ``name``, tried at ``value``."""
    return Dim(value, symbol(name))


def expr_of(number: float) -> Poly:
    """The expression of a size: its own where it carries one, else the number, exactly."""
    if isinstance(number, (Dim, DimFloat)):
        return number.expr
    return constant(int(number) if isinstance(number, int) else Fraction(number))


def plain(size: int) -> int:
    """The number alone."""
    return int(size)


def ceil_div(above: int, below: int) -> int:
    """Divide and round up, keeping letters."""
    return -(-above // below)


def exact_div(above: int, below: int) -> int:
    """Divide where the division is known to come out even, keeping letters and cancelling what is common."""
    return sized(int(above) // int(below), divide(expr_of(above), expr_of(below)))


def product(sizes: Iterable[int]) -> int:
    """Multiply sizes, keeping letters; the product of none is 1."""
    total: int = 1
    for size in sizes:
        total = size * total if isinstance(size, Dim) else total * size
    return total


def at(size: int, sizes: Mapping[str, int]) -> int:
    """Put numbers for the letters of a size; what stays free stays a letter's value."""
    return int(size.expr.value(sizes)) if isinstance(size, Dim) else size
