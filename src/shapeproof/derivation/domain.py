"""For which sizes a model runs: the rules' own conditions, solved for the letters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from shapeproof.dims.conditions import Relation
from shapeproof.dims.expr import Poly, constant, divide
from shapeproof.dims.solve import Interval, Sizes, solve

MOST_BOXES = 400


@dataclass(frozen=True)
class Domain:
    """The sizes for which the model runs. A size is a whole number from 1.

    Attributes:
        letters: the free dimensions, in the order in which the inputs name them.
        relations: every condition, as the rules state them; all must hold.
        boxes: the solution, as a union of products of sets, one set for each letter; nearly square pictures first.
        open: conditions that could not be solved and stand as they are.
        exact: whether runs just inside and just outside of every edge bore the solution out.
    """

    letters: tuple[str, ...]
    relations: tuple[Relation, ...]
    boxes: tuple[Mapping[str, Sizes], ...]
    open: tuple[Relation, ...] = ()
    exact: bool = False

    def contains(self, **sizes: int) -> bool:
        """Whether the model runs with these sizes. Raises ``KeyError`` for a letter without a size that matters."""
        if any(size < 1 for size in sizes.values()):
            return False
        return all(relation.holds(sizes) for relation in self.relations if relation.letters <= sizes.keys()) and any(
            all(sizes[name] in box[name] for name in sizes) for box in self.boxes
        )

    @property
    def intervals(self) -> dict[str, list[tuple[int, int | None]]]:
        """For each letter the intervals in which its sizes lie, whatever the others are."""
        found: dict[str, list[Interval]] = {}
        for name in self.letters:
            pieces = {piece for box in self.boxes for piece in _pieces(box[name])}
            found[name] = _merged(sorted(pieces, key=lambda piece: piece[0]))
        return found

    def __str__(self) -> str:
        if not self.boxes:
            return "no sizes"
        order = sorted(self.letters, key=lambda name: all(_free(box[name]) for box in self.boxes))
        shown = self.boxes if len(self.boxes) <= 6 else self.boxes[:1]
        texts = [", ".join(_grouped(box[name].text(name)) for name in order) for box in shown]
        if len(texts) > 1:
            texts = [f"({text})" for text in texts]
        text = " or ".join(texts)
        if len(self.boxes) > len(shown):
            text += f" or {len(self.boxes) - len(shown)} more ranges"
        return text + "".join(f", {relation}" for relation in self.open)


def _grouped(text: str) -> str:
    return f"({text})" if " or " in text else text


def _free(sizes: Sizes) -> bool:
    return sizes.intervals == ((1, None),)


def _pieces(sizes: Sizes) -> list[Interval]:
    if sizes.period > 1 and sizes.smallest is not None:
        return [*sizes.intervals, (min(sizes.start + (r - sizes.start) % sizes.period for r in sizes.remainders), None)]
    return list(sizes.intervals)


def _merged(pieces: Sequence[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for low, high in pieces:
        if merged and (merged[-1][1] is None or low <= merged[-1][1] + 1):
            last = merged[-1][1]
            merged[-1] = (merged[-1][0], None if last is None or high is None else max(last, high))
        else:
            merged.append((low, high))
    return merged


def solved(letters: Sequence[str], relations: Sequence[Relation]) -> Domain:
    """Solve conditions for the letters; what cannot be solved stands in ``open``."""
    unique = tuple(dict.fromkeys(r for r in relations if not _always(r)))
    single: dict[str, list[Relation]] = {name: [] for name in letters}
    choices: list[list[dict[str, Relation]]] = []
    left_open: list[Relation] = []
    for relation in unique:
        if len(relation.letters) == 1:
            single[next(iter(relation.letters))].append(relation)
        elif (ways := _ways(relation)) is not None:
            choices.append(ways)
        else:
            left_open.append(relation)
    boxes, unsolved = _boxes(letters, single, choices)
    return Domain(tuple(letters), unique, tuple(_squarest_first(boxes)), (*left_open, *unsolved))


def _always(relation: Relation) -> bool:
    """Whether it holds for all sizes from 1: divisible term by term, or no term that could spoil it."""
    if relation.kind == "mod" and relation.right.is_constant:
        divisor = relation.right.constant_term
        return relation.left.is_integral and all(Fraction(c) % Fraction(divisor) == 0 for _, c in relation.left.terms)
    if relation.kind == "mod":
        return divide(relation.left, relation.right).is_integral
    difference = relation.left - relation.right
    return relation.kind == ">=" and all(c > 0 for _, c in difference.terms if _) and difference.value(
        dict.fromkeys(difference.letters, 1)
    ) >= 0  # fmt: skip


def _ways(relation: Relation) -> list[dict[str, Relation]] | None:
    """A product of factors in one letter each that must equal a number: every way to share out its divisors."""
    difference = relation.left - relation.right
    terms = [(product, c) for product, c in difference.terms if product]
    if relation.kind != "==" or len(terms) != 1:
        return None
    product, coefficient = terms[0]
    total = Fraction(-difference.constant_term) / Fraction(coefficient)
    factors: dict[str, Poly] = {}
    for atom, power in product:
        factor = Poly((((((atom, power),)), 1),))
        if len(factor.letters) != 1 or not factor.is_integral:
            return None
        name = next(iter(factor.letters))
        factors[name] = factors[name] * factor if name in factors else factor
    if total.denominator != 1 or total < 1:
        return []
    shared = list(itertools.islice(_shares(int(total), list(factors)), MOST_BOXES + 1))
    if len(shared) > MOST_BOXES:
        return None
    return [{name: Relation("==", factors[name], constant(n)) for name, n in way.items()} for way in shared]


def _shares(total: int, names: list[str]) -> Iterator[dict[str, int]]:
    if len(names) == 1:
        yield {names[0]: total}
        return
    for divisor in range(1, total + 1):
        if total % divisor == 0:
            for rest in _shares(total // divisor, names[1:]):
                yield {names[0]: divisor, **rest}


def _boxes(
    letters: Sequence[str], single: dict[str, list[Relation]], choices: list[list[dict[str, Relation]]]
) -> tuple[list[dict[str, Sizes]], list[Relation]]:
    """One box for each way to make every choice, without the empty ones."""
    unsolved: list[Relation] = []
    cache: dict[tuple[str, tuple[Relation, ...]], Sizes | None] = {}

    def sizes_of(name: str, relations: tuple[Relation, ...]) -> Sizes:
        key = (name, relations)
        if key not in cache:
            cache[key] = solve(relations, name)
        found = cache[key]
        if found is None:
            unsolved.extend(r for r in relations if r not in unsolved)
            return Sizes(((1, None),))
        return found

    boxes = []
    for way in itertools.product(*choices):
        box = {n: sizes_of(n, (*single[n], *(c[n] for c in way if n in c))) for n in letters}
        if all(sizes.smallest is not None for sizes in box.values()) and box not in boxes:
            boxes.append(box)
    return boxes, unsolved


def _squarest_first(boxes: list[dict[str, Sizes]]) -> list[dict[str, Sizes]]:
    """The box that is meant, most likely: the one whose bounded letters begin nearest to each other."""

    def spread(box: dict[str, Sizes]) -> float:
        starts = [sizes.smallest or 1 for sizes in box.values() if not _free(sizes)]
        return max(starts, default=1) / min(starts, default=1)

    return sorted(boxes, key=spread)


def edges(domain: Domain, most: int = 14) -> tuple[list[dict[str, int]], list[dict[str, int]]]:
    """Sizes just inside and just outside of every edge of the first boxes, for a run to bear the solution out."""
    inside: list[dict[str, int]] = []
    outside: list[dict[str, int]] = []
    for box in domain.boxes[:3]:
        base = {name: sizes.smallest or 1 for name, sizes in box.items()}
        inside.append(base)
        for name, sizes in box.items():
            for low, high in sizes.intervals:
                inside += [{**base, name: end} for end in (low, high) if end is not None]
                beyond = [low - 1] + ([] if high is None else [high + 1])
                outside += [
                    {**base, name: end} for end in beyond if end >= 1 and not domain.contains(**{**base, name: end})
                ]
            if sizes.period > 1 and sizes.smallest:
                inside.append({**base, name: sizes.smallest + sizes.period})
                outside.append({**base, name: sizes.smallest + 1})
    inside = [p for p in inside if domain.contains(**p)]
    outside = [p for p in outside if not domain.contains(**p)]
    return _unique(inside)[:most], _unique(outside)[:most]


def _unique(points: list[dict[str, int]]) -> list[dict[str, int]]:
    return [dict(items) for items in dict.fromkeys(tuple(sorted(p.items())) for p in points)]
