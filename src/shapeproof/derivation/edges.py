"""Where to run a model so that a solved domain is borne out: just inside and just outside of every edge."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

from shapeproof.derivation.domain import Domain, Part

MOST_PARTS = 4  # parts whose edges are run
MOST_POINTS = 20  # runs inside and outside, at most
LARGEST = 1100  # a size that is still run where it is only an edge of the solution
FAR = 64  # how far the edge of a condition on several letters is sought

Sizes = dict[str, int]


def edges(domain: Domain, tried: Mapping[str, int], *, few: bool = False) -> tuple[list[Sizes], list[Sizes]]:
    """Sizes just inside and just outside of every edge of the first parts.

    Args:
        domain: the solution.
        tried: sizes with which the model ran; letters without a bound are tried there and a little beyond.
        few: whether runs are dear, so that sizes that are no edge are tried for all letters at once only.
    """
    inside: list[Sizes] = []
    outside: list[Sizes] = []
    for part in domain.parts[:MOST_PARTS]:
        points = list(_around(part, tried, few))
        inside += [p for p in points if domain.contains(**p)]
        outside += [p for p in points if not domain.contains(**p)]
    return _unique(inside), _unique(outside)


def _around(part: Part, tried: Mapping[str, int], few: bool) -> Iterator[Sizes]:
    """The corners of a part, and from its smallest one step across each edge."""
    low = part.point()
    yield low
    yield part.point({name: _largest(part, name, tried) for name in low})
    for name, sizes in part.box.items():
        ends = [e for first, last in sizes.intervals for e in (first - 1, first, last, last and last + 1) if e]
        if sizes.period > 1 and sizes.smallest:
            ends += [sizes.smallest - 1, sizes.smallest + 1, sizes.smallest + sizes.period]
        for end in dict.fromkeys(ends):
            if 1 <= end <= LARGEST and end != low[name]:
                yield _moved(part, {**low, name: end}, name)
    yield from _across(part, low)
    usual = part.point(tried)
    for name, size in () if few else usual.items():
        # where a letter is lost on its way, the edges may lie elsewhere than the conditions say
        for other in (1, size + 1, size + 2, 2 * size):
            yield _moved(part, {**usual, name: other}, name)
    yield {name: size + 1 for name, size in part.point(tried).items()}


def _largest(part: Part, name: str, tried: Mapping[str, int]) -> int:
    """The upper end of a letter's last range, or a little more than was tried where there is none."""
    sizes = part.box[name]
    ends = [last for _, last in sizes.intervals if last is not None and last <= LARGEST]
    unbounded = sizes.period > 1 or any(last is None for _, last in sizes.intervals)
    return max(ends, default=1) if not unbounded else tried.get(name, 1) + sizes.period


def _moved(part: Part, point: Sizes, name: str) -> Sizes:
    """A point with its tied letters moved along, unless it is such a letter that was moved on purpose."""
    return point | {n: int(e.value(point)) for n, e in part.ties.items() if n != name}


def _across(part: Part, low: Sizes) -> Iterator[Sizes]:
    """For each tie and open condition, points on both sides of the place where it changes."""
    for name, expr in part.ties.items():
        yield {**low, name: int(expr.value(low)) + 1}
    for relation in part.open:
        for name in sorted(relation.letters):
            before = low
            for size in range(1, FAR):
                point = _moved(part, {**low, name: size}, name)
                if relation.holds(point) != relation.holds(before):
                    yield from (before, point)
                    break
                before = point


def _unique(points: Iterable[Sizes]) -> list[Sizes]:
    possible = (p for p in points if all(size >= 1 for size in p.values()))
    found = dict.fromkeys(tuple(p.items()) for p in possible)
    return [dict(items) for items in itertools.islice(found, MOST_POINTS)]
