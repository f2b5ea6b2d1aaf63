"""Every way that a model and the rules can take by the sizes of letters, each followed once.

A run at numbers goes one way: at each comparison of sizes it notes how that came out (a :class:`Condition` that
``is_way``), and between them what the operations require. Where a comparison comes out otherwise, the model may do
something else. So for each of them sizes are sought that agree with everything before it and not with it, and the
model is run there. When no comparison is left whose other side is possible and not seen, the ways cover all sizes:
this is how exactness is established. (The method is concolic execution: Godefroid, Klarlund, Sen, "DART: Directed
Automated Random Testing", 2005.)
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from shapeproof.derivation.parts import by_likeness, parts_of
from shapeproof.dims.conditions import Condition, Relation
from shapeproof.dims.expr import constant, symbol
from shapeproof.dims.solve import solve
from shapeproof.records import dataclass

MOST_WORK = 256  # runs of the first one's size, at most, that those runs may amount to
MOST_SECONDS = 4.0  # of the processor, in which to do them
MOST_WAYS = 24  # runs, at most, to follow the ways of one model
MOST_AGAIN = 2  # further sizes tried on a way that failed for no known reason
MOST_GUESSES = 3000  # sizes looked at, at most, where conditions cannot be solved
GUESSES = (1, 2, 3, 4, 5, 6, 8, 12, 16, 32, 64)


@dataclass(frozen=True)
class Way:
    """What one run at numbers showed.

    Attributes:
        conditions: what held, in order: comparisons and requirements.
        failed: the requirement with letters that did not hold, on which the run ended.
        runs: whether it came through.
        proved: whether every step of it was proved.
        reads: the output shape, with letters, as text.
        sizes: the numbers.
    """

    conditions: tuple[Condition, ...]
    failed: Relation | None
    runs: bool
    proved: bool
    reads: str
    sizes: dict[str, int]

    @property
    def relations(self) -> tuple[Relation, ...]:
        """Everything that held."""
        return tuple(condition.relation for condition in self.conditions)

    @property
    def branch(self) -> tuple[Relation, ...]:
        """What the model's own Python found of the sizes."""
        return tuple(condition.relation for condition in self.conditions if condition.code == "branch")

    def others(self, path: Sequence[Relation]) -> list[tuple[Relation, ...]]:
        """What holds on each way that begins with ``path``, as this one does, and leaves this one after it."""
        known = 0
        while known < min(len(path), len(self.conditions)) and self.relations[known].said == path[known].said:
            known += 1
        # what the path says beyond the common beginning stands in other words in this run: it may name its numbers
        start = (*path, *self.relations[known:])
        turns = [n for n, c in enumerate(self.conditions[known:], len(path)) if c.is_way]
        found = [(*start[:n], start[n].negated) for n in turns]
        return [*found, (*start, self.failed)] if self.failed is not None else found


def explore(
    first: Way, look: Callable[[dict[str, int]], Way], *, until_it_runs: bool = False, most: int = MOST_WAYS
) -> tuple[list[Way], str]:
    """Follow every other way that leaves the first.

    Args:
        first: the way seen so far.
        look: runs the model at numbers.
        until_it_runs: stop at the first way that comes through.
        most: how many runs.

    Returns:
        The ways, and why they may not be all (``""`` where they are).
    """
    ways, doubt = [first], ""
    work, began = 0.0, time.process_time()
    usual = math.prod(first.sizes.values())
    pending = [(path, 0) for path in first.others(())]
    while pending and not (until_it_runs and ways[-1].runs):
        path, again = pending.pop(0)
        point = sample(path, first.sizes)
        if point is None:
            continue
        if not point:
            doubt = doubt or f"no sizes were found with {path[-1]}"
            continue
        cost = max(1.0, math.prod(point.values()) / usual)
        late = time.process_time() - began > MOST_SECONDS
        if len(ways) > most or work + cost > MOST_WORK or late:
            doubt = doubt or f"what the model does with {path[-1]} was not followed"
            continue
        work += cost
        way = look(point)
        ways.append(way)
        pending += [(other, 0) for other in way.others(path)]
        if not way.runs and way.failed is None and again < MOST_AGAIN:
            # it failed for no reason that is known of the sizes: other sizes of this way may do
            pending += [((*path, _unequal(name, point[name])), again + 1) for name in sorted(path[-1].letters)]
    return ways, doubt


def _unequal(name: str, size: int) -> Relation:
    return Relation("!=", symbol(name), constant(size))


def sample(relations: Sequence[Relation], near: dict[str, int]) -> dict[str, int] | None:
    """Sizes for which all relations hold, those of ``near`` where possible.

    Returns:
        ``None`` where there are provably none such; nothing (``{}``) where none were found.
    """
    point: dict[str, int] = {}
    for name, size in near.items():
        mine = tuple(r for r in relations if r.letters == {name})
        found = solve(mine, name)
        if found is not None and found.smallest is None:
            return None
        point[name] = size if found is None or size in found else found.smallest or 1
    if hold(relations, point):
        return point
    parts = parts_of(tuple(near), relations)
    if not parts:
        return None
    for part in sorted(parts, key=by_likeness):
        point = part.point(near)
        if hold(relations, point):
            return point
    return _guessed(relations, near)


def hold(relations: Iterable[Relation], point: Mapping[str, int]) -> bool:
    """Whether these are sizes, and all relations hold for them."""
    try:
        return all(size >= 1 for size in point.values()) and all(r.holds(point) for r in relations)
    except ZeroDivisionError:
        return False


def _guessed(relations: Sequence[Relation], near: dict[str, int]) -> dict[str, int]:
    choices = [dict.fromkeys((size, size + 1, *GUESSES)) for size in near.values()]
    for values in itertools.islice(itertools.product(*choices), MOST_GUESSES):
        point = dict(zip(near, values, strict=True))
        if hold(relations, point):
            return point
    return {}
