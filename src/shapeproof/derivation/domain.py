"""For which sizes a model runs, as data: a union of parts, each a product of sets with what ties letters together."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

from shapeproof.dims.conditions import Relation
from shapeproof.dims.expr import Poly
from shapeproof.dims.solve import Interval, Sizes
from shapeproof.errors import DomainError
from shapeproof.records import dataclass

MOST_SHOWN = 6  # parts that the text names one by one
FREE = Sizes(((1, None),))


@dataclass(frozen=True)
class Part:
    """Sizes with which a model runs: one set for each letter, and what else must hold between letters.

    Attributes:
        box: a set of sizes for each letter.
        ties: letters that another expression gives, as in ``W = H``.
        open: conditions on several letters that stand as they are.
        branch: what the model's own Python found of the sizes on its way here.
    """

    box: Mapping[str, Sizes]
    ties: Mapping[str, Poly]
    open: tuple[Relation, ...] = ()
    branch: tuple[Relation, ...] = ()

    def contains(self, sizes: Mapping[str, int]) -> bool:
        """Whether these sizes belong, as far as they decide it; letters without a size may be anything."""
        if not all(sizes[name] in self.box[name] for name in sizes):
            return False
        tied = [(n, e) for n, e in self.ties.items() if e.letters | {n} <= sizes.keys()]
        if not all(sizes[name] == expr.value(sizes) for name, expr in tied):
            return False
        return all(r.holds(sizes) for r in self.open if r.letters <= sizes.keys())

    def point(self, near: Mapping[str, int] | None = None) -> dict[str, int]:
        """One choice of sizes: those of ``near`` where they belong, else the smallest. ``open`` may not hold there."""
        near = near or {}
        sizes = {n: near[n] if near.get(n, 0) in s else s.smallest or 1 for n, s in self.box.items()}
        return sizes | {name: int(expr.value(sizes)) for name, expr in self.ties.items()}

    @property
    def bounded(self) -> tuple[str, ...]:
        """The letters that may not be anything."""
        return tuple(name for name, sizes in self.box.items() if sizes != FREE)

    def text(self, letters: Sequence[str], shared: frozenset[str] = frozenset()) -> str:
        """The part as conditions, those on letters that are free in every part last."""
        ties = [_tie_text(name, self.ties[name]) for name in letters if name in self.ties]
        said = [n for n in letters if n not in self.ties and (n in shared or self.box[n] != FREE)]
        order = sorted(said or set(letters) - self.ties.keys(), key=lambda name: name in shared)
        sets = [(_grouped(self.box[name].text(name)), name in shared) for name in order]
        bound = [text for text, is_shared in sets if not is_shared]
        rest = [text for text, is_shared in sets if is_shared]
        return ", ".join([*ties, *map(str, self.open), *bound, *rest])


def whole(sizes: Mapping[str, Any]) -> dict[str, int]:
    """Sizes as plain whole numbers, NumPy's too. Raises :class:`DomainError` for anything else."""
    found = {}
    for name, size in sizes.items():
        try:
            found[name] = operator.index(size)
        except TypeError:
            raise DomainError(f"a size is a whole number, got {name}={size!r}") from None
    return found


def _tie_text(name: str, expr: Poly) -> str:
    text = str(expr)
    return f"{text} = {name}" if text.isidentifier() else f"{name} = {text}"


def _grouped(text: str) -> str:
    several = " or " in text and ("mod" not in text or " with " in text)
    return f"({text})" if several else text


@dataclass(frozen=True)
class Domain:
    """The sizes for which the model runs. A size is a whole number from 1.

    Attributes:
        letters: the free dimensions, in the order in which the inputs name them.
        parts: the solution, as a union; the branch that was derived and nearly square pictures first.
        exact: whether every way through the model was followed, and runs just inside and just outside of the edges
            bore the solution out.
        why: where it is not exact, what is in doubt, in words.
    """

    letters: tuple[str, ...]
    parts: tuple[Part, ...]
    exact: bool = False
    why: str = ""

    @property
    def boxes(self) -> tuple[Mapping[str, Sizes], ...]:
        """Of each part, the set of sizes of every letter."""
        return tuple(part.box for part in self.parts)

    @property
    def open(self) -> tuple[Relation, ...]:
        """The conditions on several letters that stand in some part as they are."""
        return tuple(dict.fromkeys(r for part in self.parts for r in part.open))

    def contains(self, **sizes: int) -> bool:
        """Whether the model runs with these sizes; a letter that is left out may be anything.

        Raises:
            DomainError: for a letter that there is not, or a size that is no whole number.
        """
        sizes = whole(sizes)
        unknown = [name for name in sizes if name not in self.letters]
        if unknown:
            raise DomainError(f"no free dimension is called {', '.join(unknown)}; there are {', '.join(self.letters)}")
        return all(size >= 1 for size in sizes.values()) and any(part.contains(sizes) for part in self.parts)

    @property
    def intervals(self) -> dict[str, list[tuple[int, int | None]]]:
        """For each letter the intervals in which its sizes lie, whatever the others are."""
        found: dict[str, list[Interval]] = {}
        for name in self.letters:
            pieces = {piece for box in self.boxes for piece in _pieces(box[name])}
            found[name] = _merged(sorted(pieces, key=lambda piece: piece[0]))
        return found

    @property
    def branches(self) -> tuple[tuple[Relation, ...], ...]:
        """The different ways that the model's own Python takes, as what holds of the sizes on each."""
        return tuple(dict.fromkeys(part.branch for part in self.parts))

    def __str__(self) -> str:
        if not self.parts:
            return "no sizes"
        shared = frozenset(n for n in self.letters if all(p.box[n] == FREE and n not in p.ties for p in self.parts))
        shown = self.parts if len(self.parts) <= MOST_SHOWN else self.parts[:1]
        texts = [part.text(self.letters, shared) for part in shown]
        if len(self.parts) > 1:
            texts = [f"({text})" for text in texts]
        text = " or ".join(texts)
        return text + (f" or {len(self.parts) - len(shown)} more ranges" if len(self.parts) > len(shown) else "")


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
