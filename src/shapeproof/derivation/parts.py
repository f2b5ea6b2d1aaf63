"""Conditions that must all hold, solved for the letters: letters tied to others, sets of sizes, and what is left."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from shapeproof.derivation.domain import FREE, Domain, Part
from shapeproof.dims.conditions import Relation
from shapeproof.dims.expr import Floor, Node, Poly, Symbol, constant, symbol
from shapeproof.dims.solve import Sizes, solve

MOST_BOXES = 400
MOST_JOINED = 40
MOST_WIDENED = 8
MOST_APART = 4  # remainders of one letter that are looked at one by one
MOST_DIVIDED = 65  # up to which number a size may be divided by, for a floor of it to be told
MOST_TRIED = 2000  # points at which a condition between letters with few sizes is tried
MOST_FACTOR = 16  # up to this number, `a product of sizes is at least it` is shared out among the sizes

Way = Mapping[str, tuple[Relation, ...]]


def parts_of(letters: Sequence[str], relations: Sequence[Relation]) -> list[Part]:
    """The sizes for which all relations hold, as a union of parts; none where nothing meets them."""
    ties, rest = _tied(letters, relations)
    rest = None if rest is None else _with_only_sizes(letters, rest)
    if rest is None or _contradict(rest):
        return []
    single: dict[str, list[Relation]] = {name: [] for name in letters}
    choices: list[list[Way]] = []
    left_open: list[Relation] = []
    for relation in rest:
        if len(relation.letters) == 1:
            single[next(iter(relation.letters))].append(relation)
        elif (ways := _ways(relation)) is not None:
            choices.append(ways)
        else:
            left_open.append(relation)
    kept = [name for name in letters if name not in ties]
    taken, found = _chosen(kept, single, [{}])
    for choice in choices:
        taken, found = _chosen(kept, single, [{**way, **_both(way, more)} for way in taken for more in choice])
    parts = [replace(part, open=(*left_open, *part.open)) for part in found]
    shorter = (_tried_out(_without_what_follows(part)) for part in parts)
    return [_with_ties(part, ties) for part in shorter if part is not None]


def _with_only_sizes(letters: Sequence[str], relations: list[Relation]) -> list[Relation] | None:
    """Put the number of every letter that can have but one into the rest; ``None`` where something cannot hold."""
    for _ in letters:  # what is put may leave one more letter with a single size
        only, telling = _only_sizes(letters, relations)
        put = [r if r in telling else r.put(only) for r in relations]
        left = list(dict.fromkeys(r.reduced for r in put if not _settled(r)))
        if any(_never(r) for r in left):
            return None
        if left == relations:
            break
        relations = left
    return relations


def _only_sizes(letters: Sequence[str], relations: list[Relation]) -> tuple[dict[str, Poly], set[Relation]]:
    """The number of each letter that can have but one, and the conditions that tell what sizes a letter has."""
    only: dict[str, Poly] = {}
    telling: set[Relation] = set()
    for name in letters:
        mine = [r for r in relations if r.letters == {name} and solve([r], name) is not None]
        sizes = solve(mine, name)
        if sizes is not None and sizes.period == 1 and len(sizes.intervals) == 1:
            low, high = sizes.intervals[0]
            only |= {name: constant(low)} if low == high else {}
            telling.update(mine)
    return only, telling


def _both(way: Way, choice: Way) -> Way:
    """For each letter of a choice, what it adds to what was chosen before."""
    return {name: (*way.get(name, ()), *more) for name, more in choice.items()}


def _chosen(
    letters: Sequence[str], single: Mapping[str, list[Relation]], ways: list[Way]
) -> tuple[list[Way], list[Part]]:
    """The ways that some sizes meet, without those that lie within another, and their parts."""
    kept: list[tuple[Way, Part]] = []
    for way in ways:
        part = _part(letters, single, way)
        if part is None or any(_within(part, other) for _, other in kept if part.open == other.open):
            continue
        kept = [(w, other) for w, other in kept if part.open != other.open or not _within(other, part)]
        kept.append((way, part))
    return [way for way, _ in kept], [part for _, part in kept]


def _part(letters: Sequence[str], single: Mapping[str, list[Relation]], way: Way) -> Part | None:
    """One box for one choice; ``None`` for an empty one. What cannot be solved stays open."""
    box: dict[str, Sizes] = {}
    unsolved: list[Relation] = []
    for name in letters:
        mine = (*single[name], *way.get(name, ()))
        found = solve(mine, name)
        if found is None:
            unsolved += mine
        elif found.smallest is None:
            return None
        box[name] = found or FREE
    return Part(box, {}, tuple(unsolved))


def _without_what_follows(part: Part) -> Part:
    """Leave out conditions that hold for all sizes of the box: with ``H = 0 mod 2`` put ``2*H`` for H."""
    spaced = {n: s for n, s in part.box.items() if s.period > 1 and not s.intervals and len(s.remainders) <= MOST_APART}
    each = itertools.product(*([(n, s.start, s.period, r) for r in s.remainders] for n, s in spaced.items()))
    ends = {n: s.intervals[0] for n, s in part.box.items() if s.period == 1 and len(s.intervals) == 1}
    only = {n: constant(low) for n, (low, high) in ends.items() if low == high}
    ways = [only | {n: _counted(n, *rest) for n, *rest in way} for way in each]
    return replace(part, open=tuple(r for r in part.open if not all(_follows(r.put(w), part, spaced) for w in ways)))


def _follows(relation: Relation, part: Part, counted: Mapping[str, Sizes]) -> bool:
    """Whether a relation holds for all sizes, or in one letter for all of its set; not that of a ``counted`` one."""
    if relation.always or len(relation.letters) != 1:
        return relation.always
    name = next(iter(relation.letters))
    found = solve([relation], name) if name not in counted else None
    return found is not None and part.box[name].joined(found) == found


def _counted(name: str, start: int, period: int, remainder: int) -> Poly:
    """A size of one remainder, counted from the first that is not below ``start``."""
    return symbol(name).scaled(period) + constant(start + (remainder - start) % period - period)


def _tried_out(part: Part) -> Part | None:
    """The part without conditions that hold at each of its few sizes; ``None`` where one holds at none."""
    left: list[Relation] = []
    for relation in part.open:
        names = sorted(relation.letters)
        sets = [part.box[name].members for name in names]
        if any(members is None for members in sets) or math.prod(len(m or ()) for m in sets) > MOST_TRIED:
            left.append(relation)
            continue
        points = (dict(zip(names, sizes, strict=True)) for sizes in itertools.product(*(m or () for m in sets)))
        outcomes = {relation.holds(point) for point in points}
        if True not in outcomes:
            return None
        if False in outcomes:
            left.append(relation)
    return replace(part, open=tuple(left))


def _with_ties(part: Part, ties: Mapping[str, Poly]) -> Part:
    """The part with the tied letters: of one that is another plus a number, its own set of sizes too."""
    box = dict(part.box)
    for name, expr in ties.items():
        box[name] = FREE
        other = next(iter(expr.letters), "")
        moved = expr - symbol(other)
        if expr.is_constant:
            box[name] = Sizes(((int(expr.constant_term),) * 2,))
        elif moved.is_constant and len(expr.letters) == 1:
            box[name] = part.box[other].shifted(int(moved.constant_term))
    return replace(part, box=box, ties=dict(ties))


def _tied(letters: Sequence[str], relations: Sequence[Relation]) -> tuple[dict[str, Poly], list[Relation] | None]:
    """Solve equalities for single letters and put them into the rest; ``None`` where something cannot hold."""
    ties: dict[str, Poly] = {}
    rest = list(relations)
    while True:
        rest = list(dict.fromkeys(r.reduced for r in rest if not _settled(r)))
        if any(_never(r) for r in rest):
            return ties, None
        found = next((tie for r in rest if (tie := _tie(r, letters))), None)
        if found is None:
            return ties, rest
        name, expr = found
        given = {name: expr}
        ties = {n: e.put(given) for n, e in ties.items()} | given
        rest = [Relation(">=", expr, constant(1)), *(r.put(given) for r in rest)]


def _tie(relation: Relation, letters: Sequence[str]) -> tuple[str, Poly] | None:
    """The last-named letter that an equality of several letters gives: alone in its term, with the factor 1 or -1."""
    if relation.kind != "==" or len(relation.letters) < 2:
        return None
    difference = relation.left - relation.right
    for name in reversed(letters):
        for product, coefficient in difference.terms:
            if product == ((Symbol(name), 1),) and abs(coefficient) == 1:
                others = difference - symbol(name).scaled(coefficient)
                if name not in others.letters and others.is_integral:
                    return name, others.scaled(-coefficient)
    return None


def _settled(relation: Relation) -> bool:
    if relation.always:
        return True
    return (not relation.letters and relation.holds({})) or (relation.kind == "!=" and _apart(relation))


def _never(relation: Relation) -> bool:
    return (not relation.letters and not relation.holds({})) or (relation.kind == "==" and _apart(relation))


def _apart(relation: Relation) -> bool:
    """Whether the two sides can never be equal: every term divisible by a number, and the constant not."""
    difference = (relation.left - relation.right).expanded()
    if not difference.is_integral:
        return False
    divisor = math.gcd(*(int(c) for product, c in difference.terms if product))
    return divisor > 1 and difference.constant_term % divisor != 0


def _contradict(relations: Sequence[Relation]) -> bool:
    """Whether two conditions bound the same expression from both sides with nothing between."""
    lowest: dict[Poly, Fraction] = {}
    for relation in relations:
        if relation.kind in ("==", ">="):
            difference = relation.left - relation.right
            for sign in (1, -1) if relation.kind == "==" else (1,):
                turned = difference.scaled(sign)
                offset = Fraction(turned.constant_term)
                form = turned - constant(turned.constant_term)
                lowest[form] = max(lowest.get(form, -offset), -offset)
    return any(low > -lowest[form.scaled(-1)] for form, low in lowest.items() if form.scaled(-1) in lowest)


def _ways(relation: Relation) -> list[Way] | None:
    """A product of factors in one letter each against a number: every way in which the factors can meet it."""
    if (divided := _divided(relation)) is not None:
        return divided
    found = _factors(relation)
    if found is None:
        return _taken_apart(relation)
    factors, total = found
    names = list(factors)
    if relation.kind == "==":
        if total.denominator != 1 or total < 1:
            return []
        shared = list(itertools.islice(_shares(int(total), names), MOST_BOXES + 1))
        if len(shared) > MOST_BOXES:
            return None
        return [{name: (Relation("==", factors[name], constant(n)),) for name, n in way.items()} for way in shared]
    if relation.kind == "!=" and total == 1:  # sizes are no less than 0: their product is 1 where each is 1
        return [{name: (Relation("!=", factors[name], constant(1)),)} for name in names]
    if relation.kind == "!=" and total == 0:
        return [{name: (Relation("!=", factors[name], constant(0)),) for name in names}]
    if relation.kind == ">=" and 0 < total <= MOST_FACTOR:
        return _at_least(math.ceil(total), factors)
    return None


def _taken_apart(relation: Relation) -> list[Way] | None:
    """A sum of one factor times something else, ``H*W - W``, against 0: one of the two is 0, or neither is."""
    difference = relation.left - relation.right
    if relation.kind not in ("==", "!=") or len(difference.terms) < 2:
        return None
    common = set.intersection(*(set(product) for product, _ in difference.terms))
    zero = constant(0)
    others = Poly(tuple((tuple(f for f in p if f not in common), c) for p, c in difference.terms)) + zero
    sides = [*(Relation(relation.kind, Poly((((factor,), 1),)), zero) for factor in common)]
    sides.append(Relation(relation.kind, others, zero))
    if not common or any(len(side.letters) != 1 for side in sides):
        return None
    if relation.kind == "==":
        return [{next(iter(side.letters)): (side,)} for side in sides]
    neither: dict[str, tuple[Relation, ...]] = {}
    for side in sides:
        neither = dict(_both(neither, {next(iter(side.letters)): (side,)}))
    return [neither]


def _divided(relation: Relation) -> list[Way] | None:
    """``4*floor(H/2)*floor(W/2) = H*W``: no floor drops anything, or one of the sizes on the right is 0."""
    terms = (relation.left - relation.right).terms
    if relation.kind != "==" or len(terms) != 2 or not all(len(product) > 1 for product, _ in terms):
        return None
    (lower, a), (upper, b) = terms if abs(Fraction(terms[0][1])) > abs(Fraction(terms[1][1])) else terms[::-1]
    pairs = [_pair(small, [big for big, _ in upper]) for small, power in lower if power == 1]
    if None in pairs or len(pairs) != len(lower) or len(upper) != len(lower) or any(power != 1 for _, power in upper):
        return None
    found = [pair for pair in pairs if pair is not None]
    names = {name for name, _, _ in found}
    if len(names) != len(found) or Fraction(a) / Fraction(b) != -math.prod(times for _, _, times in found):
        return None
    zero = [{name: (Relation("==", big, constant(0)),)} for name, big, _ in found if big != symbol(name)]
    return [{name: (Relation("mod", big, constant(times)),) for name, big, times in found}, *zero]


def _pair(small: Node, sizes: Sequence[Node]) -> tuple[str, Poly, int] | None:
    """The size of which a floor takes a part: its letter, the size, and the whole number that it is divided by."""
    if not isinstance(small, Floor) or len(small.body.letters) != 1:
        return None
    for size in sizes:
        inside = size.body if isinstance(size, Floor) else Poly(((((size, 1),), 1),))
        for times in range(2, MOST_DIVIDED):
            if inside.scaled(Fraction(1, times)) == small.body:
                return next(iter(small.body.letters)), Poly(((((size, 1),), 1),)), times
    return None


def _factors(relation: Relation) -> tuple[dict[str, Poly], Fraction] | None:
    """The factors, one for each letter, of a lone product that is compared with a number, and that number."""
    difference = relation.left - relation.right
    terms = [(product, c) for product, c in difference.terms if product]
    if relation.kind not in ("==", "!=", ">=") or len(terms) != 1:
        return None
    product, coefficient = terms[0]
    if relation.kind == ">=" and coefficient < 0:
        return None
    factors: dict[str, Poly] = {}
    for atom, power in product:
        factor = Poly((((((atom, power),)), 1),))
        if len(factor.letters) != 1 or not factor.is_integral:
            return None
        name = next(iter(factor.letters))
        factors[name] = factors[name] * factor if name in factors else factor
    return factors, Fraction(-difference.constant_term) / Fraction(coefficient)


def _at_least(total: int, factors: Mapping[str, Poly]) -> list[Way] | None:
    """A product of sizes is at least a number: one is, with the others not 0, or they share it out below it."""
    if total > 2 and len(factors) > 2:
        return None
    ways: list[Way] = []
    for name in factors:
        ways.append({n: (Relation(">=", f, constant(total if n == name else 1)),) for n, f in factors.items()})
    if total > 2:
        first, second = factors
        for n in range(2, total):
            least = constant(-(-total // n))
            ways.append({first: (Relation("==", factors[first], constant(n)),),
                         second: (Relation(">=", factors[second], least),)})  # fmt: skip
    return ways


def _shares(total: int, names: list[str]) -> Iterator[dict[str, int]]:
    if len(names) == 1:
        yield {names[0]: total}
        return
    for divisor in range(1, total + 1):
        if total % divisor == 0:
            for rest in _shares(total // divisor, names[1:]):
                yield {names[0]: divisor, **rest}


def simplified(parts: Sequence[Part]) -> list[Part]:
    """Fewer parts for the same sizes: those that differ in one letter's set joined, those within another left out."""
    kept = [part for place, part in enumerate(parts) if part not in parts[:place]]
    while len(kept) <= MOST_JOINED:
        pair = next(((a, b, j) for a, b in itertools.combinations(kept, 2) if (j := _joined(a, b))), None)
        if pair is None:
            break
        a, b, joined = pair
        kept = [joined if part is a else part for part in kept if part is not b]
    return kept if len(kept) > MOST_WIDENED else [_widened(part, kept) for part in kept]


def _widened(part: Part, others: Sequence[Part]) -> Part:
    """The part with the sizes of a letter that belong to another part all the same, where that is shorter to say."""
    for other in others:
        for name in part.box.keys() - part.ties.keys():
            union = part.box[name].joined(other.box[name])
            piece = _with_ties(replace(part, box={**part.box, name: other.box[name]}), part.ties)
            if union == FREE and other is not part and _part_within(piece, other):
                part = _with_ties(replace(part, box={**part.box, name: union}), part.ties)
    return part


def _part_within(a: Part, b: Part) -> bool:
    same_ties = b.ties.items() <= a.ties.items()
    return same_ties and set(b.open) <= set(a.open) and a.branch == b.branch and _within(a, b)


def pinned(domain: Domain, given: Mapping[str, int]) -> Domain | None:
    """What a domain leaves of the other letters where some have a number; ``None`` where that is too long to say."""
    letters = tuple(name for name in domain.letters if name not in given)
    numbers = {name: constant(size) for name, size in given.items()}
    parts: list[Part] = []
    for part in domain.parts:
        ties = [Relation("==", symbol(name), expr) for name, expr in part.ties.items()]
        inside = all(size in part.box[name] for name, size in given.items())
        left = parts_of(letters, [r.put(numbers) for r in (*ties, *part.open)]) if inside else []
        for found in left:
            box = {name: both for name, sizes in found.box.items() if (both := sizes.met(part.box[name])) is not None}
            if len(box) < len(found.box):
                return None
            branch = tuple(b for r in part.branch if (b := r.put(numbers)).letters and not b.always)
            if all(sizes.smallest for sizes in box.values()):
                parts.append(replace(found, box=box, branch=branch))
    return replace(domain, letters=letters, parts=tuple(simplified(parts)))


def _joined(a: Part, b: Part) -> Part | None:
    if a.ties != b.ties or a.branch != b.branch or a.box.keys() != b.box.keys():
        return None
    different = [name for name in a.box if a.box[name] != b.box[name] and name not in a.ties]
    if not different:
        # one way holds under a condition, the other under its opposite or without one
        left, right = set(a.open) - set(b.open), set(b.open) - set(a.open)
        opposite = len(left) == len(right) == 1 and next(iter(left)).negated in right
        return replace(a, open=tuple(r for r in a.open if r in b.open)) if opposite or not left or not right else None
    if a.open != b.open or (len(different) > 1 and not _within(a, b) and not _within(b, a)):
        return None
    if len(different) > 1:
        return b if _within(a, b) else a
    union = a.box[different[0]].joined(b.box[different[0]])
    return _with_ties(replace(a, box={**a.box, different[0]: union}), a.ties) if union is not None else None


def _within(a: Part, b: Part) -> bool:
    return all(a.box[name].within(b.box[name]) for name in a.box)


def by_likeness(part: Part) -> float:
    """How far the bounded letters' ranges begin from each other: nearly square pictures have the least."""
    starts = [sizes.smallest or 1 for sizes in part.box.values() if sizes != FREE]
    return max(starts, default=1) / min(starts, default=1)
