"""Exact expressions over letters: sums of products of letters and floors, kept in one normal form.

A sum maps each product of atoms to a rational coefficient; an atom is a letter, a floor, a sum kept whole inside a
product (so that ``32*(H - 2)*(W - 2)`` stays as a person writes it), or a quotient that does not come out even.
Nested floors are folded with ``floor((floor(x) + m)/n) = floor((x + m)/n)`` for integers m and n >= 1
(Graham, Knuth, Patashnik, *Concrete Mathematics*, section 3.2), which computer algebra systems do not apply.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeAlias

from shapeproof.records import dataclass

Number: TypeAlias = "int | Fraction"


@dataclass(frozen=True)
class Node:
    """Part of an expression: its text and its hash are made once, since sorting and caches ask for them often."""

    @cached_property
    def text(self) -> str:
        """What it reads like."""
        return self._written()

    def _written(self) -> str:
        raise NotImplementedError

    @property
    def letters(self) -> frozenset[str]:
        """The letters that occur in it."""
        return frozenset().union(*(v.letters for f in fields(self) if isinstance(v := getattr(self, f.name), Node)))

    def value(self, sizes: Mapping[str, int]) -> Any:
        """Put numbers for letters. Raises ``KeyError`` for a letter without one."""
        raise NotImplementedError

    def put(self, given: Mapping[str, Poly]) -> Poly:
        """Put expressions for letters, and let what folds fold. Raises ``ZeroDivisionError`` for a divisor of zero."""
        raise NotImplementedError

    @property
    def is_whole(self) -> bool:
        """Whether its value is a whole number for all sizes."""
        return True

    def __str__(self) -> str:
        return self.text

    @cached_property
    def _hash(self) -> int:
        return hash((type(self), *(getattr(self, field.name) for field in fields(self))))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True)
class Symbol(Node):
    """A letter that stands for a size of at least 1."""

    name: str
    __hash__ = Node.__hash__

    def _written(self) -> str:
        return self.name

    @property
    def letters(self) -> frozenset[str]:
        """Itself."""
        return frozenset({self.name})

    def value(self, sizes: Mapping[str, int]) -> Number:
        """Return the size given for this letter."""
        return sizes[self.name]

    def put(self, given: Mapping[str, Poly]) -> Poly:
        """What is given for it, or itself."""
        return given.get(self.name, symbol(self.name))


@dataclass(frozen=True)
class Floor(Node):
    """The largest integer not above ``body``."""

    body: Poly
    __hash__ = Node.__hash__

    def _written(self) -> str:
        constant_part = Fraction(self.body.constant_term)
        n = constant_part.denominator
        if n > 1 and constant_part == Fraction(n - 1, n):
            above = (self.body - constant(constant_part)).scaled(n)
            if above.is_integral:
                return f"ceil({_over(str(above), n)})"
        return f"floor({self.body})"

    def value(self, sizes: Mapping[str, int]) -> Number:
        """Evaluate the body, then round down."""
        return math.floor(self.body.value(sizes))

    def put(self, given: Mapping[str, Poly]) -> Poly:
        """The body with expressions for letters, rounded down."""
        return floor(self.body.put(given).expanded())


@dataclass(frozen=True)
class Group(Node):
    """A sum kept whole as one factor of a product."""

    body: Poly
    __hash__ = Node.__hash__

    def _written(self) -> str:
        return str(self.body) if _is_one(str(self.body)) else f"({self.body})"

    def value(self, sizes: Mapping[str, int]) -> Number:
        """Evaluate the sum."""
        return self.body.value(sizes)

    def put(self, given: Mapping[str, Poly]) -> Poly:
        """The sum with expressions for letters."""
        return self.body.put(given)


@dataclass(frozen=True)
class Quotient(Node):
    """One sum over another that does not divide it evenly, term by term."""

    above: Poly
    below: Poly
    __hash__ = Node.__hash__

    def _written(self) -> str:
        return "/".join(f"({part})" if set(str(part)) & set(" */") else str(part) for part in (self.above, self.below))

    def value(self, sizes: Mapping[str, int]) -> Number:
        """Divide exactly; raises ``ZeroDivisionError`` where the divisor is zero."""
        return _tidy(Fraction(self.above.value(sizes)) / Fraction(self.below.value(sizes)))

    @property
    def is_whole(self) -> bool:
        """Not as far as the form shows."""
        return False

    def put(self, given: Mapping[str, Poly]) -> Poly:
        """Both sums with expressions for letters, divided again."""
        return divide(self.above.put(given), self.below.put(given))


Atom: TypeAlias = Node
Product: TypeAlias = tuple[tuple[Atom, int], ...]  # atoms with their powers, in the order of their text


def _tidy(number: Number) -> Number:
    """Give back an ``int`` where the number is whole."""
    if isinstance(number, Fraction) and number.denominator == 1:
        return number.numerator
    return number


@dataclass(frozen=True)
class Poly(Node):
    """A sum of products in normal form; equal sums that need no expansion are equal objects."""

    terms: tuple[tuple[Product, Number], ...]
    __hash__ = Node.__hash__

    @cached_property
    def letters(self) -> frozenset[str]:
        """The letters that occur, inside floors too."""
        found: set[str] = set()
        for product, _ in self.terms:
            for atom, _power in product:
                found |= atom.letters
        return frozenset(found)

    @property
    def is_constant(self) -> bool:
        """Whether no letter occurs."""
        return not self.terms or (len(self.terms) == 1 and not self.terms[0][0])

    @property
    def constant_term(self) -> Number:
        """The term without letters, 0 where there is none."""
        return dict(self.terms).get((), 0)

    @cached_property
    def is_integral(self) -> bool:
        """Whether the value is whole whatever the letters, as far as the form shows."""
        return all(isinstance(c, int) and not _in_part(p) for p, c in self.terms)

    def value(self, sizes: Mapping[str, int]) -> Number:
        """Put numbers for letters. Raises ``KeyError`` for a letter without one."""
        total: Number = 0
        for product, coefficient in self.terms:
            part: Number = coefficient
            for atom, power in product:
                part = part * atom.value(sizes) ** power
            total = total + part
        return _tidy(total)

    def __add__(self, other: Poly) -> Poly:
        return _sum([*self.terms, *other.terms])

    def __sub__(self, other: Poly) -> Poly:
        return self + other.scaled(-1)

    def scaled(self, factor: Number) -> Poly:
        """Multiply every term by a number."""
        return Poly(tuple((p, _tidy(c * factor)) for p, c in self.terms)) if factor else ZERO

    def __mul__(self, other: Poly) -> Poly:
        if self.is_constant:
            return other.scaled(self.constant_term)
        if other.is_constant:
            return self.scaled(other.constant_term)
        (left, a), (right, b) = _as_term(self), _as_term(other)
        return _sum([(_times(left, right), a * b)])

    def expanded(self) -> Poly:
        """Multiply out every sum that is kept whole, so that two forms of one polynomial become equal."""
        return _sum(term for product, c in self.terms for term in _expand(product, c))

    def put(self, given: Mapping[str, Poly]) -> Poly:
        """Put expressions for letters, and let what folds fold. Raises ``ZeroDivisionError`` for a divisor of zero."""
        if not self.letters & given.keys():
            return self
        total = ZERO
        for product, coefficient in self.terms:
            part = constant(coefficient)
            for atom, power in product:
                inner = atom.put(given)
                for _ in range(power):
                    part = part * inner
            total = total + part
        return total

    def same(self, other: Poly) -> bool:
        """Whether the two are the same polynomial in their letters and floors."""
        return self == other or not (self - other).expanded().terms

    def _written(self) -> str:
        return _text(_absorbed(self))


def _in_part(product: Product) -> bool:
    """Whether a product may be no whole number."""
    return not all(atom.is_whole for atom, _ in product)


def _sort_key(atom: Atom) -> tuple[int, str]:
    return (0 if isinstance(atom, Symbol) else 1, str(atom))


def _sum(terms: Iterable[tuple[Product, Number]]) -> Poly:
    """Add up terms: like products together, zeros gone, a lone whole sum opened up."""
    total: dict[Product, Number] = {}
    pending = list(terms)
    while pending:
        product, coefficient = pending.pop()
        if len(product) == 1 and isinstance(product[0][0], Group) and product[0][1] == 1:
            pending.extend(product[0][0].body.scaled(coefficient).terms)
            continue
        total[product] = total.get(product, 0) + coefficient
    kept = [(p, _tidy(c)) for p, c in total.items() if c]
    kept.sort(key=lambda term: (not term[0], [_sort_key(a) for a, _ in term[0]]))
    return Poly(tuple(kept))


def _times(left: Product, right: Product) -> Product:
    powers: dict[Atom, int] = dict(left)
    for atom, power in right:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(((a, n) for a, n in powers.items() if n), key=lambda pair: _sort_key(pair[0])))


def _as_term(poly: Poly) -> tuple[Product, Number]:
    """Write a sum as one coefficient times one product, keeping a longer sum whole as a factor."""
    if len(poly.terms) == 1:
        return poly.terms[0]
    content = _content(poly)
    return ((Group(poly.scaled(Fraction(1) / content)), 1),), content


def _content(poly: Poly) -> Number:
    """The number that leaves a sum with coprime integer coefficients and a positive first one."""
    fractions = [Fraction(c) for _, c in poly.terms]
    denominator = math.lcm(*(f.denominator for f in fractions))
    divisor = math.gcd(*(int(f * denominator) for f in fractions))
    return _tidy(Fraction(-divisor if fractions[0] < 0 else divisor, denominator))


def _expand(product: Product, coefficient: Number) -> list[tuple[Product, Number]]:
    rows: list[tuple[Product, Number]] = [((), coefficient)]
    for atom, power in product:
        whole = isinstance(atom, Group)
        parts = atom.body.expanded().terms if isinstance(atom, Group) and whole else ((((atom, 1),), 1),)
        for _ in range(power):
            rows = [(_times(p, q), c * d) for p, c in rows for q, d in parts]
    return rows


ZERO = Poly(())


def constant(number: Number) -> Poly:
    """A sum that is one number."""
    return Poly((((), _tidy(number)),)) if number else ZERO


def symbol(name: str) -> Poly:
    """A sum that is one letter."""
    return Poly(((((Symbol(name), 1),), 1),))


def floor(poly: Poly) -> Poly:
    """Round down: whole parts taken out, a floor inside folded, what is left put under one floor."""
    if poly.is_integral:
        return poly
    poly = _folded(poly)
    whole = [(p, _whole_part(p, c)) for p, c in poly.terms]
    inner = poly - _sum(whole)
    if inner.is_constant:
        return _sum(whole)
    inner = _lowered(inner)
    if Fraction(inner.terms[0][1]) < 0 and not any(_in_part(p) for p, _ in inner.terms):
        # one form for the two ways to round up: floor(-P/n) = -floor((P + n - 1)/n) for a whole P
        n = math.lcm(*(Fraction(c).denominator for _, c in inner.terms))
        turned = floor(inner.scaled(-1) + constant(Fraction(n - 1, n)))
        return _sum([*whole, *turned.scaled(-1).terms])
    return _sum([*whole, (((Floor(inner), 1),), 1)])


def _whole_part(product: Product, coefficient: Number) -> Number:
    """What may leave the floor: of the constant its floor, of any other whole term everything, else nothing."""
    if not product:
        return math.floor(coefficient)
    return coefficient if isinstance(coefficient, int) and not _in_part(product) else 0


def _lowered(poly: Poly) -> Poly:
    """Lower the constant under a floor as far as it changes nothing: ``floor(H/2 + 3/4)`` is ``floor((H + 1)/2)``."""
    rest = poly - constant(poly.constant_term)
    if any(_in_part(p) for p, _ in rest.terms):
        return poly
    denominator = math.lcm(*(Fraction(c).denominator for _, c in rest.terms))
    return rest + constant(Fraction(math.floor(poly.constant_term * denominator), denominator))


def _folded(poly: Poly) -> Poly:
    """Open the one floor with coefficient 1/n whose other terms are whole numbers of 1/n."""
    for product, coefficient in poly.terms:
        if len(product) != 1 or product[0][1] != 1 or not isinstance(product[0][0], Floor):
            continue
        share = Fraction(coefficient)
        others = (poly - Poly(((product, coefficient),))).scaled(share.denominator)
        # under a floor, beside a whole sum, the constant may be rounded down
        others = others - constant(others.constant_term) + constant(math.floor(others.constant_term))
        if share.numerator == 1 and others.is_integral:
            return (product[0][0].body + others).scaled(share)
    return poly


def divide(above: Poly, below: Poly) -> Poly:
    """Divide exactly: common factors cancelled, a number divided into the coefficients, else a quotient."""
    if below.is_constant:
        return above.scaled(Fraction(1) / Fraction(below.constant_term))
    if not above.terms:
        return ZERO
    (top, a), (bottom, b) = _as_term(above), _as_term(below)
    powers, left = dict(top), {}
    for atom, power in bottom:
        shared = min(power, powers.get(atom, 0))
        powers[atom] = powers.get(atom, 0) - shared
        left[atom] = power - shared
    upper = _sum([(_times(tuple(powers.items()), ()), Fraction(a) / Fraction(b))])
    lower = _sum([(_times(tuple(left.items()), ()), 1)])
    if lower.is_constant:
        return upper
    return Poly(((((Quotient(upper, lower), 1),), 1),))


def _absorbed(poly: Poly) -> Poly:
    """For the eye: ``floor((H + 1)/4) - 1`` as ``floor((H - 3)/4)``."""
    offset = poly.constant_term
    if len(poly.terms) != 2 or not offset or not isinstance(offset, int):
        return poly
    product, coefficient = poly.terms[0]
    if coefficient != 1 or len(product) != 1 or product[0][1] != 1 or not isinstance(product[0][0], Floor):
        return poly
    if str(product[0][0]).startswith("ceil"):
        return poly
    return Poly(((((Floor(product[0][0].body + constant(offset)), 1),), 1),))


def _is_one(text: str) -> bool:
    """Whether a text is a single rounding, which needs no brackets as a factor."""
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if sign == ")" and not depth:
            return text.startswith(("floor(", "ceil(")) and place == len(text) - 1
    return False


def _over(above: str, below: int) -> str:
    return f"({above})/{below}" if " " in above else f"{above}/{below}"


def _text(poly: Poly) -> str:
    if not poly.terms:
        return "0"
    denominator = math.lcm(*(Fraction(c).denominator for _, c in poly.terms))
    parts = [_term_text(p, int(c * denominator)) for p, c in poly.terms]
    text = parts[0] + "".join(f" - {t[1:]}" if t.startswith("-") else f" + {t}" for t in parts[1:])
    if denominator == 1:
        return text
    return f"({text})/{denominator}" if len(parts) > 1 else f"{text}/{denominator}"


def _term_text(product: Product, coefficient: int) -> str:
    if not product:
        return str(coefficient)
    factors = "*".join(str(atom) if power == 1 else f"{atom}^{power}" for atom, power in product)
    if abs(coefficient) == 1:
        return factors if coefficient == 1 else f"-{factors}"
    return f"{coefficient}*{factors}"
