"""Integers that carry the expression they came from, so that one run gives numbers and letters together."""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any, TypeAlias

from shapeproof.dims import replay
from shapeproof.dims.expr import Poly, constant, divide, floor, symbol

Size: TypeAlias = int
Shape: TypeAlias = tuple[int, ...]

MOST_POWER = 8  # beyond that a power of a size is a plain number


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
        return _binary(self, other, operator.add, lambda a, b: a + b)

    def __sub__(self, other: Any) -> Any:
        return _binary(self, other, operator.sub, lambda a, b: a - b)

    def __mul__(self, other: Any) -> Any:
        return _binary(self, other, operator.mul, lambda a, b: a * b)

    def __floordiv__(self, other: Any) -> Any:
        return _binary(self, other, operator.floordiv, lambda a, b: floor(divide(a, b)))

    def __mod__(self, other: Any) -> Any:
        return _binary(self, other, operator.mod, lambda a, b: a - b * floor(divide(a, b)))

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

    def __pos__(self) -> Any:
        return self

    __floor__ = __ceil__ = __trunc__ = __pos__

    def __abs__(self) -> Any:
        return self if self >= 0 else -self

    def __round__(self, digits: Any = None) -> Any:
        return self if digits is None or digits >= 0 else int.__round__(int(self), digits)

    def __pow__(self, power: Any, modulus: Any = None) -> Any:
        if modulus is None and type(power) is int and 0 <= power <= MOST_POWER:
            return math.prod([self] * power)
        if modulus is None and isinstance(power, float):
            return float_of(self) ** power
        return pow(int(self), power, modulus)

    def __lshift__(self, places: Any) -> Any:
        return self * 2**places if type(places) is int and 0 <= places < 64 else int(self) << places

    def __rshift__(self, places: Any) -> Any:
        return self // 2**places if type(places) is int and 0 <= places < 64 else int(self) >> places

    def __and__(self, mask: Any) -> Any:
        ones = type(mask) is int and mask > 0 and mask & (mask + 1) == 0  # as in h & 7, which is h % 8
        return self % (mask + 1) if ones else int(self) & mask

    __rand__ = __and__

    def __int__(self) -> int:
        _turned_plain()
        return int.__int__(self)

    def __float__(self) -> float:
        _turned_plain()
        return int.__float__(self)

    def __truediv__(self, other: Any) -> Any:
        return _over(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _over(other, self)


# Told of each comparison of a letter that the model's own Python makes; set while that Python runs.
Watcher: TypeAlias = Callable[[str, int, int, bool], None]
watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


def _compared(kind: str, a: Dim, b: Any, outcome: Any) -> Any:
    tell = watcher.get()
    if tell is not None and isinstance(b, int) and outcome is not NotImplemented:
        tell(kind, a, b, outcome)
    return outcome


class DimFloat(float):
    """A ``float`` computed from sizes: its exact expression, and how floats came to it step by step.

    Rounding it gives a :class:`Dim` again. Floats round at each step, so that ``int(90 * 0.7)`` is 62: where rounding
    the exact expression gives something else for some sizes, the steps are kept and gone through again for each size.
    """

    expr: Poly
    steps: Any

    def __new__(cls, value: float, expr: Poly, steps: Any) -> DimFloat:
        """Make a float ``value`` that stands for ``expr``."""
        self = super().__new__(cls, value)
        self.expr, self.steps = expr, steps
        return self

    def __floor__(self) -> int:
        return self._rounded("floor")

    def __ceil__(self) -> int:
        return self._rounded("ceil")

    def __trunc__(self) -> int:
        return self._rounded("floor" if self >= 0 else "ceil")

    def __int__(self) -> int:
        _turned_plain()
        return int(float.__float__(self))

    def __float__(self) -> float:
        _turned_plain()
        return float.__float__(self)

    def __round__(self, digits: Any = None) -> Any:
        return self._rounded("round") if digits is None else round(float.__float__(self), digits)

    def _rounded(self, how: str) -> int:
        value = replay.ROUNDINGS[how](float.__float__(self))
        return sized(value, replay.rounded(how, self.expr, self.steps))

    def __reduce__(self) -> tuple[Any, ...]:
        return DimFloat, (float.__float__(self), self.expr, self.steps)

    def __add__(self, other: Any) -> Any:
        return _float("+", self, other)

    def __radd__(self, other: Any) -> Any:
        return _float("+", other, self)

    def __sub__(self, other: Any) -> Any:
        return _float("-", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _float("-", other, self)

    def __mul__(self, other: Any) -> Any:
        return _float("*", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _float("*", other, self)

    def __truediv__(self, other: Any) -> Any:
        return _float("/", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _float("/", other, self)

    def __floordiv__(self, other: Any) -> Any:
        made = _float("/", self, other)
        return made if made is NotImplemented else float_of(math.floor(made))

    def __neg__(self) -> Any:
        return _float("*", self, -1.0)

    def __pow__(self, power: Any, modulus: Any = None) -> Any:
        if isinstance(power, (int, float)) and modulus is None:
            value = float.__pow__(self, float(power))
            return DimFloat(value, replay.root(self.expr, power), ("**", self.steps, float(power)))
        return NotImplemented


def _float(kind: str, a: Any, b: Any) -> Any:
    """An operation on floats of which one comes from sizes."""
    if not isinstance(a, (int, float)) or not isinstance(b, (int, float)):
        return NotImplemented
    left, right = _steps(a), _steps(b)
    value = replay.OPERATIONS[kind](_number(a), _number(b))
    if not math.isfinite(value):
        return value
    on_exprs = {"+": Poly.__add__, "-": Poly.__sub__, "*": Poly.__mul__, "/": divide}[kind]
    return DimFloat(value, on_exprs(expr_of(a), expr_of(b)), (kind, left, right))


def _number(number: float) -> float:
    """The float alone, without the letters."""
    return int.__float__(number) if isinstance(number, int) else float.__float__(number)


def _steps(number: float) -> Any:
    if isinstance(number, DimFloat):
        return number.steps
    return number.expr if isinstance(number, Dim) else float(number)


def float_of(size: int) -> Any:
    """A size as a float that keeps its letters."""
    value = int.__float__(size)
    return DimFloat(value, size.expr, size.expr) if isinstance(size, Dim) else value


def _over(a: Any, b: Any) -> Any:
    """True division, which gives a float."""
    if not isinstance(a, (int, float)) or not isinstance(b, (int, float)):
        return NotImplemented
    return _float("/", a, b) if b else _number(a) / _number(b)


# Told by which of the model's own code a letter is turned into a plain number; set while that code runs.
plain_watcher: ContextVar[Callable[[Any], None] | None] = ContextVar("plain_watcher", default=None)


def turned_plain(where: Any) -> None:
    """Tell that code of the model's, of which this is the frame, turned a letter into a plain number."""
    tell = plain_watcher.get()
    if tell is not None and where is not None:
        tell(where)


def _turned_plain() -> None:
    if watcher.get() is not None:
        turned_plain(sys._getframe(2))


def _binary(a: Dim, b: Any, on_int: Callable[[int, int], Any], on_expr: Callable[[Poly, Poly], Poly]) -> Any:
    if isinstance(b, float):
        # the operation again, with a float that keeps the letters in the size's place
        return on_int(float_of(a), b)  # type: ignore[arg-type]
    if not isinstance(b, int):
        return NotImplemented
    return sized(on_int(plain(a), plain(b)), on_expr(a.expr, expr_of(b)))


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
    return constant(int(number) if isinstance(number, int) else replay.rational(number))


def same(a: int, b: int) -> bool:
    """Whether two sizes are one: the same expression where either has letters, else the same number."""
    if isinstance(a, Dim) or isinstance(b, Dim):
        return expr_of(a).same(expr_of(b))
    return a == b


def plain(size: int) -> int:
    """The number alone."""
    return int.__int__(size)


def ceil_div(above: int, below: int) -> int:
    """Divide and round up, keeping letters."""
    return -(-above // below)


def exact_div(above: int, below: int) -> int:
    """Divide where the division is known to come out even, keeping letters and cancelling what is common."""
    value = int(above) // int(below)
    if isinstance(above, Dim) or isinstance(below, Dim):
        return sized(value, divide(expr_of(above), expr_of(below)))
    return value


def product(sizes: Iterable[int]) -> int:
    """Multiply sizes, keeping letters; the product of none is 1."""
    total: int = 1
    for size in sizes:
        total = size * total if isinstance(size, Dim) else total * size
    return total


def put(size: int, given: Mapping[str, Poly], tried: Mapping[str, int]) -> int:
    """A size with expressions in the place of some letters, tried at these sizes of all letters."""
    return sized(int(size.expr.value(tried)), size.expr.put(given)) if isinstance(size, Dim) else size


def at(size: int, sizes: Mapping[str, int]) -> int:
    """Put numbers for the letters of a size; what stays free stays a letter's value."""
    return int(size.expr.value(sizes)) if isinstance(size, Dim) else size
