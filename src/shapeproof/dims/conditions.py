"""Conditions on sizes, as data: what a rule requires, checked on the values and kept with its letters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextvars import ContextVar
from fractions import Fraction
from functools import cached_property

from shapeproof.dims.dim import Dim, expr_of, same
from shapeproof.dims.expr import Floor, Node, Number, Poly, Symbol, constant, divide
from shapeproof.records import dataclass

_NEGATED = {"==": "!=", "!=": "==", "mod": "!mod", "!mod": "mod"}
_SIGNS = {"==": "=", "!=": "!=", ">=": ">="}


def compare(kind: str, left: Number, right: Number) -> bool:
    """Whether two numbers stand in one of the relations of :class:`Relation`."""
    if kind in ("mod", "!mod"):
        return (bool(right) and left % right == 0) is (kind == "mod")
    if kind == ">=":
        return left >= right
    return (left == right) is (kind == "==")


@dataclass(frozen=True)
class Relation:
    """``left == right``, ``left != right``, ``left >= right``, ``left = 0 mod right``, or not so (``"!mod"``)."""

    kind: str  # "==" "!=" ">=" "mod" "!mod"
    left: Poly
    right: Poly

    @property
    def letters(self) -> frozenset[str]:
        """The letters on which the truth depends."""
        return self.left.letters | self.right.letters

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Whether it is true for these sizes. Raises ``KeyError`` for a letter without a size."""
        try:
            return compare(self.kind, self.left.value(sizes), self.right.value(sizes))
        except ZeroDivisionError:  # who computes such a size divides by nothing there, and raises
            return False

    @property
    def negated(self) -> Relation:
        """The relation that is true exactly where this one is not; both sides are whole numbers."""
        if self.kind == ">=":
            return Relation(">=", self.right, self.left + constant(1))
        return Relation(_NEGATED[self.kind], self.left, self.right)

    @cached_property
    def said(self) -> tuple[str, Poly, Poly]:
        """What it says, in a form that two relations share where they say the same of the difference of their sides."""
        if self.kind in ("mod", "!mod"):
            return self.kind, self.left, self.right
        difference = self.left - self.right
        turned = self.kind != ">=" and bool(difference.terms) and difference.terms[0][1] < 0
        return self.kind, difference.scaled(-1) if turned else difference, constant(0)

    @property
    def reduced(self) -> Relation:
        """The same without what stands as a factor in every term and is at least 1, as letters are."""
        mod = self.kind in ("mod", "!mod")
        sides = (self.left, self.right) if mod else (self.left - self.right, constant(0))
        if (mod and self.right.is_constant) or not mod:
            numbers = [abs(int(c)) for side in sides for _, c in side.terms]
            whole = all(side.is_integral for side in sides) and self.kind != ">="
            divisor = math.gcd(*numbers) if whole else 1
            if divisor > 1:
                sides = (sides[0].scaled(Fraction(1, divisor)), sides[1].scaled(Fraction(1, divisor)))
        common = [set(product) for side in sides for product, _ in side.terms]
        factors = {pair for pair in set.intersection(*common) if _is_size(pair[0])} if common else set()
        shorter = [Poly(tuple((tuple(f for f in p if f not in factors), c) for p, c in side.terms)) for side in sides]
        made = Relation(self.kind, shorter[0], shorter[1])
        return made.reduced if mod and factors and made.right.is_constant else made

    def put(self, given: Mapping[str, Poly]) -> Relation:
        """The same with expressions for letters."""
        try:
            return Relation(self.kind, self.left.put(given), self.right.put(given))
        except ZeroDivisionError:  # as in `holds`
            return NEVER

    @property
    def always(self) -> bool:
        """Whether it holds for all sizes from 1: divisible term by term, or no term that could spoil it."""
        if self.kind == "mod":
            if self.right.is_constant:
                divisor = Fraction(self.right.constant_term)
                return self.left.is_integral and all(Fraction(c) % divisor == 0 for _, c in self.left.terms)
            return divide(self.left, self.right).is_integral
        difference = self.left - self.right
        if self.kind == "==":
            return not difference.expanded().terms
        if self.kind == "!=":
            return _positive(difference) or _positive(difference.scaled(-1))
        return self.kind == ">=" and _positive(difference + constant(1))

    def __str__(self) -> str:
        if self.kind in ("mod", "!mod"):
            return f"{self.left} {'!' if self.kind == '!mod' else ''}= 0 mod {self.right}"
        if self.kind != ">=" and (found := _remainder(self.left - self.right)):
            return f"{found[0]} {_SIGNS[self.kind]} {found[2]} mod {found[1]}"
        left, right = _sides(self.left - self.right)
        if not left.letters and right.letters:
            return f"{right} {'<=' if self.kind == '>=' else _SIGNS[self.kind]} {left}"
        return f"{left} {_SIGNS[self.kind]} {right}"


def _is_size(atom: Node) -> bool:
    """Whether a factor is at least 1 for all sizes: a letter, or a floor that is so where all letters are 1."""
    if isinstance(atom, Symbol):
        return True
    grows = isinstance(atom, Floor) and all(
        c > 0 and all(isinstance(inner, Symbol) for inner, _ in product) for product, c in atom.body.terms if product
    )
    return grows and atom.value(dict.fromkeys(atom.letters, 1)) >= 1


NEVER = Relation("==", constant(0), constant(1))


def _remainder(difference: Poly) -> tuple[Poly, int, int] | None:
    """``P - n*floor(P/n) - r`` as P, n and r; ``None`` for anything else."""
    for product, coefficient in difference.terms:
        if len(product) != 1:
            continue
        atom, power = product[0]
        n = abs(int(coefficient))
        if isinstance(atom, Floor) and power == 1 and n > 1 and isinstance(coefficient, int):
            above = atom.body.scaled(n)
            rest = difference.scaled(-1 if coefficient > 0 else 1) + Poly(((product, n),)) - above
            left = -Fraction(rest.constant_term)
            if rest.is_constant and above.is_integral and 0 <= left < n:
                return above, n, int(left)
    return None


def _positive(difference: Poly) -> bool:
    """Whether a sum of growing terms is above 0 for all sizes from 1, as far as its form shows."""
    if not all(c > 0 for product, c in difference.terms if product):
        return False
    try:
        return difference.value(dict.fromkeys(difference.letters, 1)) > 0
    except ZeroDivisionError:  # a quotient by what is 0 there
        return False


def _sides(difference: Poly) -> tuple[Poly, Poly]:
    """A difference as two sides without minus signs or fractions, the number alone where that is possible."""
    whole = difference.scaled(math.lcm(1, *(Fraction(c).denominator for _, c in difference.terms)))
    left = Poly(tuple((p, c) for p, c in whole.terms if p and c > 0))
    right = Poly(tuple((p, -c) for p, c in whole.terms if p and c < 0))
    offset = constant(whole.constant_term)
    on_left = offset.constant_term > 0 if left.terms and right.terms else not left.terms
    return (left + offset, right) if on_left else (left, right - offset)


@dataclass(frozen=True)
class Condition:
    """A relation that an operation requires, or one that says which way was taken.

    Attributes:
        relation: what holds.
        code: the diagnosis code for when a requirement does not hold; ``"branch"`` where the model's own Python
            compared sizes, ``"case"`` where a rule did.
        source: ``file:line`` of the comparison in the model's Python.
    """

    relation: Relation
    code: str
    source: str = ""

    @property
    def is_way(self) -> bool:
        """Whether the model would go another way, and need not fail, where this does not hold."""
        return self.code in ("branch", "case")


_collected: ContextVar[list[Condition] | None] = ContextVar("collected", default=None)


class collecting:  # noqa: N801  # read as a word of the ``with`` statement; a generator would take twice as long
    """Gather the conditions with letters in them that hold while the block runs.

    A block within another tells that one too, unless it is set ``apart``.
    """

    def __init__(self, *, apart: bool = False) -> None:
        """Nothing gathered yet."""
        self._apart = apart
        self._found: list[Condition] = []

    def __enter__(self) -> list[Condition]:
        """Begin; what is found comes into this list."""
        self._token = _collected.set(self._found)
        return self._found

    def __exit__(self, *failure: object) -> None:
        """Tell the block around, if there is one."""
        _collected.reset(self._token)
        for condition in () if self._apart else self._found:
            note(condition)


def note(condition: Condition) -> None:
    """Keep a condition that has letters in it; one without is settled by its numbers."""
    found = _collected.get()
    if found is None or not condition.relation.letters or condition.relation.always:
        return
    if not any(c.is_way is condition.is_way and c.relation.said == condition.relation.said for c in found):
        found.append(condition)


def relation(kind: str, left: int, right: int) -> Relation:
    """Relate two sizes, with the letters that they carry."""
    return Relation(kind, expr_of(left), expr_of(right))


def decide(kind: str, left: int, right: int) -> bool:
    """Whether two sizes stand in a relation; with letters, the answer becomes a condition of the way taken.

    A rule asks in this way wherever it goes one way or another by a size, so that the other way can be tried too.
    """
    outcome = compare(kind, int(left), int(right))
    if isinstance(left, Dim) or isinstance(right, Dim):
        asked = relation(kind, left, right)
        note(Condition(asked if outcome else asked.negated, "case"))
    return outcome


def branch(kind: str, left: int, right: int, outcome: bool, code: str = "branch") -> None:
    """Keep, as a condition of the path taken, how a comparison in the model's own Python came out.

    ``code`` is ``"case"`` for one in a library's, which nobody wants told as a branch of theirs.
    """
    if same(left, right):
        return
    if kind in ("<", "<="):
        kind, left, right = {"<": ">", "<=": ">="}[kind], right, left
    if kind == ">":
        kind, right = ">=", right + 1
    asked = relation(kind, left, right)
    note(Condition(asked if outcome else asked.negated, code))
