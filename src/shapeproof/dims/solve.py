"""The exact set of sizes for which conditions on one letter hold.

Every rule's condition on one letter is a sum of powers and floors with constant divisors. With ``L`` the least common
multiple of those divisors, ``H = L*t + r`` turns it into a polynomial in ``t`` for each remainder ``r``; beyond
Cauchy's bound on the roots its sign no longer changes. So the truth is periodic from a computable place on, and
below that place it is a matter of putting in numbers.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache

from shapeproof.dims.conditions import Relation
from shapeproof.dims.expr import Floor, Group, Poly, Symbol, constant, divide, floor, symbol
from shapeproof.records import dataclass

MOST = 200_000  # sizes looked at, at most; beyond that the conditions are reported as they are
Interval = tuple[int, int | None]


@dataclass(frozen=True)
class Sizes:
    """A set of sizes: intervals below ``start``, and from there on the remainders that repeat with ``period``.

    Attributes:
        intervals: closed intervals, in order; the end is ``None`` where all larger sizes belong.
        period: 1, or the distance with which the sizes from ``start`` on repeat.
        remainders: which remainders modulo ``period`` belong from ``start`` on; empty where none do.
        start: where the repetition begins.
    """

    intervals: tuple[Interval, ...]
    period: int = 1
    remainders: tuple[int, ...] = ()
    start: int = 0

    def __contains__(self, size: int) -> bool:
        if self.period > 1 and size >= self.start and size % self.period in self.remainders:
            return True
        return any(low <= size and (high is None or size <= high) for low, high in self.intervals)

    @property
    def smallest(self) -> int | None:
        """The smallest size that belongs, ``None`` for an empty set."""
        starts = [low for low, _ in self.intervals]
        if self.period > 1:
            starts += [self.start + (r - self.start) % self.period for r in self.remainders]
        return min(starts, default=None)

    @property
    def members(self) -> list[int] | None:
        """Each size that belongs; ``None`` for a set without end."""
        if self.period > 1 or any(high is None for _, high in self.intervals):
            return None
        return [size for low, high in self.intervals for size in range(low, (high or low) + 1)]

    def text(self, name: str) -> str:
        """The set as a condition on ``name``: ``16 <= H <= 31``."""
        if self.period == 1:
            return " or ".join(_interval_text(name, *ends) for ends in self.intervals) or f"no {name}"
        lowest = self._repeats_from
        others = [h in self and not (h >= lowest and h % self.period in self.remainders) for h in range(1, self.start)]
        parts = [_interval_text(name, *ends) for ends in _runs(others, open_end=False)]
        *most, last = map(str, self.remainders)
        which = f"{name} = {', '.join(most)} or {last}" if most else f"{name} = {last}"
        if not parts:
            return f"{which} mod {self.period}, {name} >= {lowest}"
        return " or ".join([*parts, f"{name} >= {lowest} with {which} mod {self.period}"])

    @property
    def _repeats_from(self) -> int:
        """The smallest size from which every size with one of the remainders belongs."""
        lowest = min(self.start + (r - self.start) % self.period for r in self.remainders)
        for size in range(self.start - 1, 0, -1):
            if size % self.period in self.remainders:
                if size not in self:
                    break
                lowest = size
        return lowest

    def shifted(self, by: int) -> Sizes:
        """Every size larger by a number; what would fall below 1 must not belong."""
        moved = tuple((low + by, None if high is None else high + by) for low, high in self.intervals)
        remainders = tuple(sorted((r + by) % self.period for r in self.remainders))
        return Sizes(moved, self.period, remainders, self.start + by)

    def joined(self, other: Sizes) -> Sizes | None:
        """The sizes that belong to either; ``None`` where the two repeat too differently to say it shortly."""
        return self._combined(other, operator.or_)

    def met(self, other: Sizes) -> Sizes | None:
        """The sizes that belong to both; ``None`` as for :meth:`joined`."""
        return self._combined(other, operator.and_)

    def within(self, other: Sizes) -> bool:
        """Whether each size belongs to the other set too; ``False`` where that is not found out."""
        if self.period == other.period == 1:
            return all(any(_inside(mine, theirs) for theirs in other.intervals) for mine in self.intervals)
        return self.joined(other) == other

    def _combined(self, other: Sizes, how: Callable[[bool, bool], bool]) -> Sizes | None:
        period = math.lcm(self.period, other.period)
        ends = [e for s in (self, other) for low, high in s.intervals for e in (low, high or low)]
        bound = max([1, self.start, other.start, *(end + 1 for end in ends)])
        if bound + period > MOST:
            return None
        return _shortest([how(h in self, h in other) for h in range(1, bound + period)], bound, period)


def _inside(a: Interval, b: Interval) -> bool:
    return b[0] <= a[0] and (b[1] is None or (a[1] is not None and a[1] <= b[1]))


def _interval_text(name: str, low: int, high: int | None) -> str:
    if high is None:
        return f"{name} >= {low}"
    return f"{name} = {low}" if low == high else f"{low} <= {name} <= {high}"


def solve(relations: Sequence[Relation], name: str) -> Sizes | None:
    """All sizes from 1 for which every relation holds; ``None`` where that cannot be told exactly.

    Args:
        relations: conditions in which ``name`` is the only letter.
        name: the letter.
    """
    return _solved(tuple(relations), name)


@lru_cache(maxsize=4096)
def _solved(relations: tuple[Relation, ...], name: str) -> Sizes | None:
    """What rises with the size is solved by halving, one relation at a time; the rest by putting numbers in."""
    risen = [(r, _between(r, name)) for r in relations]
    rest = tuple(r for r, found in risen if found is None)
    found = _put_in(rest, name) if rest else Sizes(((1, None),))
    for _, ends in risen:
        if found is not None and ends is not None:
            found = _cut(found, ends)
    return found


def _cut(sizes: Sizes, ends: tuple[Interval, ...]) -> Sizes | None:
    if sizes.period > 1:
        return sizes.met(Sizes(ends))
    pairs = ((a, b) for a in sizes.intervals for b in ends)
    met = ((max(a[0], b[0]), min((e for e in (a[1], b[1]) if e is not None), default=None)) for a, b in pairs)
    return Sizes(tuple((low, high) for low, high in met if high is None or low <= high))


@lru_cache(maxsize=4096)
def _between(relation: Relation, name: str) -> tuple[Interval, ...] | None:
    """The sizes for which a relation holds whose two sides differ by what rises, or falls, with the size."""
    difference = relation.left - relation.right
    falls = _rises(difference.scaled(-1))
    if relation.kind not in ("==", "!=", ">=") or not difference.letters or not (falls or _rises(difference)):
        return None
    rising = difference.scaled(-1) if falls else difference
    low, high = _first(rising, name, above=False), _first(rising, name, above=True)
    if relation.kind == ">=":
        found: list[Interval] = [(1, high - 1)] if falls else [(low, None)]
    elif relation.kind == "==":
        found = [(low, high - 1)]
    else:
        found = [(1, low - 1), (high, None)] if low < high else [(1, None)]
    return tuple((a, b) for a, b in found if b is None or a <= b)


def _rises(poly: Poly) -> bool:
    """Whether a sum cannot fall as the letter in it grows, and grows beyond every number."""
    for product, coefficient in poly.terms:
        if not product:
            continue
        (atom, power), *others = product
        if others or power != 1 or coefficient < 0 or not isinstance(atom, (Symbol, Floor, Group)):
            return False
        if not isinstance(atom, Symbol) and not (atom.body.letters and _rises(atom.body)):
            return False
    return True


def _first(rising: Poly, name: str, *, above: bool) -> int:
    """The first size at which a rising sum is at least 0, or above it."""

    def reached(size: int) -> bool:
        value = rising.value({name: size})
        return value > 0 if above else value >= 0

    low, high = 0, 1
    while not reached(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def _put_in(relations: tuple[Relation, ...], name: str) -> Sizes | None:
    period = math.lcm(1, *(d for r in relations for d in _divisors(r)))
    if period > MOST:
        return None
    bound = 1
    for relation in relations:
        reach = _settled(relation, name, period)
        if reach is None:
            return None
        bound = max(bound, reach)
    if bound + period > MOST:
        return None
    relations = tuple(sorted(relations, key=lambda r: r.kind != "=="))  # few sizes meet an equality: ask it first
    return _shortest([all(r.holds({name: h}) for r in relations) for h in range(1, bound + period)], bound, period)


def _shortest(truth: list[bool], bound: int, period: int) -> Sizes:
    """Describe the truth at 1, 2, 3, ... that repeats with ``period`` from ``bound`` on."""
    tail = truth[bound - 1 :]
    if not any(tail) or all(tail):
        return Sizes(_runs(truth, open_end=all(tail)))
    shorter = next(p for p in range(1, period + 1) if period % p == 0 and tail == (tail[:p] * (period // p)))
    start = bound
    while start > 1 and truth[start - 2] == truth[start - 2 + shorter]:
        start -= 1
    remainders = tuple(sorted((start + i) % shorter for i in range(shorter) if truth[start - 1 + i]))
    return Sizes(_runs(truth[: start - 1], open_end=False), shorter, remainders, start)


def _runs(truth: list[bool], *, open_end: bool) -> tuple[Interval, ...]:
    runs: list[Interval] = []
    begin = None
    for size, holds in enumerate([*truth, False], start=1):
        if holds and begin is None:
            begin = size
        if not holds and begin is not None:
            runs.append((begin, size - 1))
            begin = None
    if open_end and runs:
        runs[-1] = (runs[-1][0], None)
    return tuple(runs)


def _difference(relation: Relation) -> Poly:
    if relation.kind in ("mod", "!mod"):
        return relation.left - relation.right * floor(divide(relation.left, relation.right))
    return relation.left - relation.right


def _divisors(relation: Relation) -> list[int]:
    found: list[int] = []

    def visit(poly: Poly) -> None:
        for product, coefficient in poly.terms:
            found.append(Fraction(coefficient).denominator)
            for atom, _ in product:
                if isinstance(atom, (Floor, Group)):
                    visit(atom.body)

    visit(_difference(relation))
    visit(relation.left)
    return found


def _settled(relation: Relation, name: str, period: int) -> int | None:
    """From which size on the truth depends on the remainder modulo ``period`` only; ``None`` if that is unknown."""
    reach = 1
    difference = _difference(relation)
    near = _line(difference)
    if near is not None:
        slope, offset, slack = near
        return 1 if not slope else max(1, math.ceil((abs(offset) + slack) / abs(slope)) + 1)
    for remainder in range(period):
        poly = _put(difference, name, period, remainder)
        powers = None if poly is None else _powers(poly)
        if powers is None:
            return None
        degree = max((p for p, c in powers.items() if c), default=0)
        if degree:
            largest = max(abs(c / powers[degree]) for c in powers.values())
            reach = max(reach, period * (math.ceil(largest) + 2))
    return reach


def _line(poly: Poly) -> tuple[Fraction, Fraction, Fraction] | None:
    """Slope, offset and slack of a line near the sum: it lies within the slack, since a floor takes less than 1."""
    slope, offset, slack = Fraction(0), Fraction(0), Fraction(0)
    for product, coefficient in poly.terms:
        if not product:
            offset += coefficient
            continue
        (atom, power), *others = product
        if others or power != 1 or not isinstance(atom, (Symbol, Floor, Group)):
            return None
        inner = (Fraction(1), Fraction(0), Fraction(0)) if isinstance(atom, Symbol) else _line(atom.body)
        if inner is None:
            return None
        loose = inner[2] + (1 if isinstance(atom, Floor) else 0)
        factor = Fraction(coefficient)
        slope, offset = slope + factor * inner[0], offset + factor * inner[1]
        slack += abs(factor) * loose
    return slope, offset, slack


def _put(poly: Poly, name: str, period: int, remainder: int) -> Poly | None:
    """Write ``period*t + remainder`` for the letter and let the floors come out; ``None`` where one does not."""
    total = constant(0)
    for product, coefficient in poly.terms:
        part = constant(coefficient)
        for atom, power in product:
            if not isinstance(atom, (Symbol, Floor, Group)):
                return None
            if isinstance(atom, Symbol):
                inner: Poly | None = symbol("t").scaled(period) + constant(remainder)
            else:
                inner = _put(atom.body, name, period, remainder)
            if inner is not None and isinstance(atom, Floor):
                inner = floor(inner.expanded())
            if inner is None:
                return None
            for _ in range(power):
                part = (part * inner).expanded()
        total = total + part
    return total


def _powers(poly: Poly) -> dict[int, Fraction] | None:
    powers: dict[int, Fraction] = {}
    for product, coefficient in poly.expanded().terms:
        if any(not isinstance(atom, Symbol) for atom, _ in product):
            return None
        powers[sum(power for _, power in product)] = Fraction(coefficient)
    return powers
