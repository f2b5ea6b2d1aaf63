"""What a tensor sees of one input: which of its dimensions carries which axis of the input, and how.

A dimension is a product of factors, as ``H * W`` after a flatten. An axis whose places are known is carried by one
factor, element for element. An axis that is carried in some other manner (joined with other things, cut into blocks)
has no places, but still a cover: what all that is there together sees of it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from shapeproof.derivation.places import Places, Span, always, both, within
from shapeproof.records import dataclass

Factor = tuple[frozenset[int], int]
NONE: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Axis:
    """One axis of the input as a tensor sees it.

    Attributes:
        size: its length.
        places: what each position sees; ``None`` where positions have no order that is known.
        cover: what all positions together see.
        sure: whether the cover is known.
    """

    size: int
    places: Places | None
    cover: Span
    sure: bool = True

    @property
    def whole(self) -> bool:
        """Whether every position sees all of it."""
        return self.places is not None and self.places.advance == 0 and self.places.spans == ((0, self.size - 1),)


@dataclass(frozen=True)
class Sight:
    """What a tensor sees of one input: the factors of its dimensions, and each axis of the input."""

    dims: tuple[tuple[Factor, ...], ...]
    axes: dict[int, Axis]

    def carried(self, dims: Iterable[int]) -> set[int]:
        """The axes that some dimensions carry."""
        return {axis for dim in dims for axes, _ in self.dims[dim] for axis in axes}

    def scrambled(self, axes: Collection[int], sure: bool = True) -> Sight:
        """Some axes lose their order; where something of them is lost as well, nothing sure is left of them."""
        changed = {axis: replace(self.axes[axis], places=None, sure=sure and self.axes[axis].sure) for axis in axes}
        return replace(self, axes={**self.axes, **changed})

    def mixed(self, dims: Iterable[int]) -> Sight:
        """Every element comes to see all along some dimensions, which carry nothing from then on."""
        dims = set(dims)
        found = self.carried(dims)
        if not found:
            return self
        left = tuple(_bare(factors) if dim in dims else factors for dim, factors in enumerate(self.dims))
        mixed = replace(self.scrambled(found), dims=left)
        still = mixed.carried(range(len(left)))
        done = {axis: _all_of(mixed.axes[axis]) for axis in found - still}
        return replace(mixed, axes={**mixed.axes, **done})

    def placed(self, dim: int, places: Places | None, size: int) -> Sight:
        """Positions along a dimension see those before as these places say; ``None`` for any other manner."""
        factors = self.dims[dim]
        axes = self.carried([dim])
        dims = (*self.dims[:dim], ((frozenset(axes), size),), *self.dims[dim + 1 :])
        if not axes:
            return replace(self, dims=dims)
        known = self.axes[min(axes)]
        if len(axes) > 1 or len(factors) > 1 or places is None or known.places is None:
            return replace(self.scrambled(axes, sure=places is not None), dims=dims)
        reached = places.cover(size, factors[0][1])
        cover = _cover_of(known, reached)
        after = replace(known, places=places.after(known.places), cover=cover)
        return Sight(dims, {**self.axes, min(axes): after})

    def ordered(self, order: Sequence[int]) -> Sight:
        """The dimensions in another order."""
        return replace(self, dims=tuple(self.dims[dim] for dim in order))

    def resized(self, dim: int, size: int) -> Sight:
        """A dimension gets another size in a manner that keeps no order along it."""
        axes = self.carried([dim])
        found = self.scrambled(axes) if axes else self
        return replace(found, dims=(*self.dims[:dim], ((frozenset(axes), size),), *self.dims[dim + 1 :]))

    def without(self, dim: int) -> Sight:
        """A dimension that carries nothing goes."""
        return replace(self, dims=(*self.dims[:dim], *self.dims[dim + 1 :]))

    def inserted(self, dim: int, size: int) -> Sight:
        """A dimension that carries nothing comes in."""
        return replace(self, dims=(*self.dims[:dim], ((NONE, size),), *self.dims[dim:]))

    def reshaped(self, shape: Sequence[int]) -> Sight:
        """The same elements in the same order under other sizes."""
        ones = [d for d, factors in enumerate(self.dims) if math.prod(size for _, size in factors) == 1]
        start = self.mixed(ones)
        factors = [factor for dim in start.dims for factor in dim if factor[1] != 1]
        dims: list[tuple[Factor, ...]] = []
        for block, sizes in _aligned(factors, shape):
            if len(sizes) == 1:
                dims.append(tuple(block) or ((NONE, sizes[0]),))
                continue
            axes = frozenset(axis for found, _ in block for axis in found)
            start = start.scrambled(axes) if axes else start
            dims += [((axes, size),) for size in sizes]
        return replace(start, dims=tuple(dims))

    def kept_axes(self, axes: Collection[int]) -> Sight:
        """Only these axes of the input are followed any further."""
        kept = frozenset(axes)
        dims = tuple(tuple((found & kept, size) for found, size in factors) for factors in self.dims)
        return Sight(dims, {axis: known for axis, known in self.axes.items() if axis in kept})


def _cover_of(axis: Axis, positions: Span) -> Span:
    """What a range of positions along an axis sees of the input."""
    if positions is None or axis.places is None or axis.cover is None:
        return None
    seen = axis.places.over(positions)
    return within(seen, axis.cover)


def _bare(factors: tuple[Factor, ...]) -> tuple[Factor, ...]:
    return ((NONE, math.prod(size for _, size in factors)),)


def _all_of(axis: Axis) -> Axis:
    return replace(axis, places=always(axis.cover)) if axis.sure else axis


def _aligned(factors: list[Factor], shape: Sequence[int]) -> Iterable[tuple[list[Factor], list[int]]]:
    """Factors and new sizes in blocks of equal products, as small as they can be."""
    waiting = list(factors)
    block: list[Factor] = []
    sizes: list[int] = []
    have = want = 1
    for size in shape:
        if size == 1 and not sizes:
            yield [], [1]
            continue
        sizes.append(size)
        want *= size
        while have < want and waiting:
            block.append(waiting.pop(0))
            have *= block[-1][1]
            if have > want and not block[-1][0] and have % want == 0:  # one that carries nothing can be cut
                rest = have // want
                block[-1] = (NONE, block[-1][1] // rest)
                waiting.insert(0, (NONE, rest))
                have = want
        if have == want:
            yield block, sizes
            block, sizes, have, want = [], [], 1, 1
    if sizes:
        yield block, sizes


def joined(sights: Sequence[Sight]) -> Sight:
    """What tensors of one number of dimensions see together, element for element."""
    first, *others = sights
    for other in others:
        first = _joined(first, other)
    return first


def _joined(a: Sight, b: Sight) -> Sight:
    if a is b:
        return a
    dims, loose = [], set[int]()
    for mine, theirs in zip(a.dims, b.dims, strict=True):
        if mine == theirs:
            dims.append(mine)
            continue
        own = frozenset(axis for axes, _ in (*mine, *theirs) for axis in axes)
        carries = [factors for factors in (mine, theirs) if any(axes for axes, _ in factors)]
        if len(carries) == 1:
            dims.append(carries[0])
        else:
            dims.append(((own, math.prod(size for _, size in mine)),))
            loose |= own
    axes = {axis: _axis(a, b, axis, axis in loose) for axis in a.axes.keys() & b.axes.keys()}
    axes |= {axis: known for axis, known in {**a.axes, **b.axes}.items() if axis not in axes}
    whole = frozenset(axis for axis, known in axes.items() if known.whole)
    return Sight(tuple(tuple((found - whole, size) for found, size in factors) for factors in dims), axes)


def _axis(a: Sight, b: Sight, axis: int, loose: bool) -> Axis:
    mine, theirs = a.axes[axis], b.axes[axis]
    if mine.whole or theirs.whole:
        return mine if mine.whole else theirs
    cover, sure = both(mine.cover, theirs.cover), mine.sure and theirs.sure
    where = [[d for d, factors in enumerate(s.dims) if any(axis in axes for axes, _ in factors)] for s in (a, b)]
    if not loose and where[0] == where[1] and mine.places and theirs.places:
        together = mine.places.union(theirs.places)
        if together:
            return Axis(mine.size, together, cover, sure)
    return Axis(mine.size, None, cover, sure)
