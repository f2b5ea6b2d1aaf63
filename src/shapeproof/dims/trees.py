"""Formulas and expressions as small nested lists, which a page's script or a printer walks without knowing either.

A tree is a number, a name, or ``[operation, part, ...]`` with the operation one of ``+ - * / ^ floor ceil``, and for
a condition ``== != >= mod`` on top.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from shapeproof.dims.conditions import Relation
from shapeproof.dims.expr import Atom, Floor, Group, Poly, Product, Quotient, Symbol
from shapeproof.dims.formula import Formula

Tree = Any  # int | str | list[Tree]; mypy has no recursive type that json.loads would also give


def of_formula(formula: Formula) -> Tree:
    """A textbook formula; its names stay names."""
    if formula.kind in ("name", "number"):
        return formula.parts[0]
    return [formula.kind, *(of_formula(part) for part in formula.parts)]


def of_poly(poly: Poly) -> Tree:
    """An expression in letters: whole numbers over one common divisor, so that floating point rounds nothing."""
    below = math.lcm(1, *(Fraction(c).denominator for _, c in poly.terms))
    terms = [(product, int(c * below)) for product, c in poly.terms]
    total: Tree = 0
    for place, (product, number) in enumerate(terms):
        sign = "-" if place and number < 0 else "+"
        term = _term(product, abs(number) if sign == "-" else number)
        total = [sign, total, term] if place else term
    return total if below == 1 else ["/", total, below]


def of_relation(relation: Relation) -> Tree:
    """A condition, with its two sides."""
    return [relation.kind, of_poly(relation.left), of_poly(relation.right)]


def _term(product: Product, number: int) -> Tree:
    factors = [_atom(atom) if power == 1 else ["^", _atom(atom), power] for atom, power in product]
    if number != 1 or not factors:
        factors.insert(0, number)
    return factors[0] if len(factors) == 1 else ["*", *factors]


def _atom(atom: Atom) -> Tree:
    if isinstance(atom, Symbol):
        return atom.name
    if isinstance(atom, Floor):
        return ["floor", of_poly(atom.body)]
    if isinstance(atom, Quotient):
        return ["/", of_poly(atom.above), of_poly(atom.below)]
    if isinstance(atom, Group):
        return of_poly(atom.body)
    return str(atom)
