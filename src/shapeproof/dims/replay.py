"""Floats computed from sizes: exact where floats round nothing away, gone through again step by step where they do."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from shapeproof.dims.expr import Node, Number, Poly, constant, floor
from shapeproof.records import dataclass

OPERATIONS: dict[str, Callable[[float, float], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "**": operator.pow,
}  # fmt: skip
ROUNDINGS: dict[str, Callable[[float], int]] = {"floor": math.floor, "ceil": math.ceil, "round": round}
COMPARED = 2048  # sizes of one letter for which the exact expression is compared with what floats give
COMPARED_EACH = 24  # of each of several letters


@dataclass(frozen=True)
class Rounded(Node):
    """A float rounded to a whole number; the float is computed again, in the same steps, for each size.

    Attributes:
        how: ``"floor"``, ``"ceil"`` or ``"round"`` (a half to the even neighbour, as Python does).
        body: what is rounded, for the eye.
        steps: an operation and its two operands, each steps again, an expression, or a number.
    """

    how: str
    body: Poly
    steps: Any
    __hash__ = Node.__hash__

    def _written(self) -> str:
        return f"{self.how}({self.body})"

    def value(self, sizes: Mapping[str, int]) -> Number:
        """Go through the steps with numbers, as the model's Python does."""
        return ROUNDINGS[self.how](played(self.steps, sizes))

    def put(self, given: Mapping[str, Poly]) -> Poly:
        """The same with expressions for letters."""
        made = Rounded(self.how, self.body.put(given), _put(self.steps, given))
        return Poly(((((made, 1),), 1),)) if made.body.letters else constant(made.value({}))


@dataclass(frozen=True)
class Power(Node):
    """An expression to a power that is no whole number, such as its square root."""

    body: Poly
    power: Fraction
    __hash__ = Node.__hash__

    def _written(self) -> str:
        return f"sqrt({self.body})" if self.power == Fraction(1, 2) else f"({self.body})^({self.power})"

    def value(self, sizes: Mapping[str, int]) -> Any:
        """The power of the value, as a float."""
        return float(self.body.value(sizes)) ** float(self.power)

    @property
    def is_whole(self) -> bool:
        """Not in general."""
        return False

    def put(self, given: Mapping[str, Poly]) -> Poly:
        """The same with expressions for letters."""
        return Poly(((((Power(self.body.put(given), self.power), 1),), 1),))


def root(body: Poly, power: float) -> Poly:
    """A power of an expression: multiplied out for a whole number from 0, else kept."""
    whole = int(power)
    if whole == power and 0 <= whole <= 8:
        made = constant(1)
        for _ in range(whole):
            made = made * body
        return made
    return Poly(((((Power(body, rational(power)), 1),), 1),))


@lru_cache(maxsize=1024)
def rational(number: float) -> Fraction:
    """The fraction that was meant: 7/10 for 0.7, where that is the nearest float; else the float itself."""
    meant = Fraction(number).limit_denominator(1000)
    return meant if float(meant) == number else Fraction(number)


def played(steps: Any, sizes: Mapping[str, int]) -> float:
    """The float that the steps give at these sizes."""
    if isinstance(steps, tuple):
        kind, left, right = steps
        return float(OPERATIONS[kind](played(left, sizes), played(right, sizes)))
    return float(steps.value(sizes)) if isinstance(steps, Poly) else float(steps)


def _put(steps: Any, given: Mapping[str, Poly]) -> Any:
    if isinstance(steps, tuple):
        return (steps[0], _put(steps[1], given), _put(steps[2], given))
    return steps.put(given) if isinstance(steps, Poly) else steps


@lru_cache(maxsize=1024)
def rounded(how: str, body: Poly, steps: Any) -> Poly:
    """A float rounded: as a floor of its exact expression where that gives the same, else as :class:`Rounded`."""
    exact = _exactly(how, body)
    kept = Rounded(how, body, steps)
    if exact is None:
        return Poly(((((kept, 1),), 1),))
    letters = sorted(body.letters)
    each = COMPARED if len(letters) == 1 else COMPARED_EACH
    for values in itertools.product(range(1, each + 1), repeat=len(letters)):
        sizes = dict(zip(letters, values, strict=True))
        try:
            came = kept.value(sizes)
        except ZeroDivisionError:
            continue  # there the model's own Python raises
        except (OverflowError, ValueError, TypeError):
            return Poly(((((kept, 1),), 1),))
        if came != exact.value(sizes):
            return Poly(((((kept, 1),), 1),))
    return exact


def _exactly(how: str, body: Poly) -> Poly | None:
    """The rounding of an exact expression; ``None`` where it has a root in it, or halves that go to the even side."""
    if any(isinstance(atom, Power) for product, _ in body.terms for atom, _ in product):
        return None
    if how == "floor":
        return floor(body)
    if how == "ceil":
        return floor(body.scaled(-1)).scaled(-1)
    return floor(body + constant(Fraction(1, 2)))
