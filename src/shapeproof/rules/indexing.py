"""Indexing and slicing with ``x[...]``.

Source: PyTorch's notes, "Tensor views" and "Indexing"; integers choose, slices keep, ``None`` inserts, tensors of
integers are broadcast together and put in the place of the dimensions that they index.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shapeproof.dims import Shape, ceil_div, same
from shapeproof.dims.conditions import decide
from shapeproof.rules.elementwise import broadcast
from shapeproof.rules.registry import COUNTED, Counted, Derived, Operand, Unsupported, Violation, require, rule, show


def _edge(size: int, at: int | None, default: int) -> int:
    """Where a slice begins or ends: counted from the end where negative, never outside."""
    if at is None:
        return default
    place = at if decide(">=", at, 0) else size + at
    if not decide(">=", place, 0):
        return 0
    return place if decide(">=", size, place) else size


def sliced(size: int, part: slice) -> int:
    """How many elements a slice keeps: ``ceil((stop - start)/step)``. Raises :class:`Violation` for a step below 1."""
    if any(isinstance(edge, Operand) for edge in (part.start, part.stop, part.step)):
        return COUNTED
    step = 1 if part.step is None else part.step
    if step < 1:
        raise Violation("slice", "a step of at least 1", f"{step}")
    start, stop = _edge(size, part.start, 0), _edge(size, part.stop, size)
    return ceil_div(stop - start, step) if decide(">=", stop, start) else 0


def _as_tensor(part: Any) -> Any:
    """A list of integers as the tensor that PyTorch makes of it."""
    if isinstance(part, (list, tuple, range)):
        return Operand(_nested(part), "bool" if _truths(part) else "int64")
    if not isinstance(part, Operand) and isinstance(getattr(part, "shape", None), tuple):  # NumPy's
        return Operand(tuple(part.shape), str(part.dtype)) if part.shape else int(part)
    return part


def _nested(part: Any) -> Shape:
    """The shape of lists within lists, of one length each."""
    if isinstance(part, Operand):
        return part.shape
    if not isinstance(part, (list, tuple, range)):
        if isinstance(part, slice) or part is None:
            raise Unsupported
        return ()
    return (len(part), *(_nested(part[0]) if len(part) else ()))


def _truths(part: Any) -> bool:
    first = part
    while isinstance(first, (list, tuple)) and first:
        first = first[0]
    return isinstance(first, bool) or (isinstance(first, Operand) and first.dtype == "bool")


def _is_mask(part: Any) -> bool:
    return isinstance(part, Operand) and part.dtype in ("bool", "uint8")


def _consumes(part: Any) -> int:
    if _is_mask(part):
        return len(part.shape)
    return 0 if part is None or part is Ellipsis or isinstance(part, bool) else 1


def _parts(shape: Shape, index: Any) -> list[Any]:
    """The index as one entry for each dimension, the ellipsis written out."""
    given = [_as_tensor(part) for part in (index if isinstance(index, tuple) else (index,))]
    used = sum(_consumes(part) for part in given)
    if used > len(shape):
        raise Violation("index-rank", f"at most {len(shape)} indices for {show(shape)}", f"{used}")
    whole = [slice(None)] * (len(shape) - used)
    places = [place for place, part in enumerate(given) if part is Ellipsis]
    if len(places) > 1:
        raise Unsupported
    if not places:
        return given + whole
    return given[: places[0]] + whole + given[places[0] + 1 :]


def _chosen(size: int, index: int) -> None:
    at = int(index)
    words = f"an index from {-int(size)} to {int(size) - 1}"
    require(">=", size, at + 1 if at >= 0 else -at, "index-range", words, f"{at}")


def check_positions(index: Operand, size: int) -> None:
    """Positions that are known below a size must be there; of any others the values decide."""
    if index.below is not None and 0 not in map(int, index.shape):
        words = f"a dimension of at least {index.below}, for positions up to {index.below - 1}"
        require(">=", size, index.below, "index-range", words, f"{size}")


def indexed(shape: Shape, index: Any) -> Shape:
    """The shape of ``x[index]``.

    Raises:
        Violation: for an index out of range, too many of them, or tensors that do not broadcast together.
        Unsupported: where the values decide, as with a mask.
    """
    out: list[int] = []
    tensors: list[Shape] = []
    places: list[int] = []
    sizes = iter(shape)
    for part in _parts(shape, index):
        if part is None:
            out.append(1)
        elif isinstance(part, slice):
            out.append(sliced(next(sizes), part))
        elif _is_mask(part) or isinstance(part, bool):
            _masked(part, sizes)
            tensors.append((int(part),) if isinstance(part, bool) else (COUNTED,))
            places.append(len(out) + len(places))
        elif isinstance(part, Operand):
            check_positions(part, next(sizes))
            if part.shape:
                tensors.append(part.shape)
                places.append(len(out) + len(places))
        elif isinstance(part, int):
            _chosen(next(sizes), part)
        else:
            raise Unsupported
    if not tensors:
        return tuple(out)
    wide = broadcast(tensors, "index-broadcast")
    together = places == list(range(places[0], places[0] + len(places)))
    at = places[0] if together else 0
    return (*out[:at], *wide, *out[at:])


def _masked(mask: Any, sizes: Iterator[int]) -> None:
    """A mask covers as many dimensions as it has, of its own sizes; how many places it keeps, the values decide."""
    for have in mask.shape if isinstance(mask, Operand) else ():
        size = next(sizes)
        require("==", have, size, "index-mask", f"a mask of {size} along this dimension", f"{have}")


@rule("getitem", page="torch.Tensor")
def getitem(input: Operand, index: Any) -> Derived:
    """An integer drops its dimension, a slice keeps part of it, ``None`` adds a 1, tensors of integers gather."""
    shape = indexed(input.shape, index)
    return Derived(shape, "ceil((stop - start)/step) for each slice", f"{show(input.shape)} -> {show(shape)}")


@rule("setitem", page="torch.Tensor")
def setitem(input: Operand, index: Any, value: Any) -> Derived:
    """The value must broadcast to the part that it is written into; nothing comes out."""
    if not isinstance(value, Operand):
        try:
            indexed(input.shape, index)
        except Unsupported:
            return Derived(None, "in place", f"one value into part of {show(input.shape)}")
        return Derived(None, "in place", f"one value into part of {show(input.shape)}")
    target = indexed(input.shape, index)
    given = value.shape
    while len(given) > len(target) and int(given[0]) == 1:
        given = given[1:]
    words = f"a value that fits into {show(target)}"
    if len(given) > len(target):
        raise Violation("broadcast", words, show(value.shape))
    for have, want in zip(reversed(given), reversed(target), strict=False):
        if not isinstance(want, Counted) and not same(have, want) and not decide("==", have, 1):
            require("==", have, want, "broadcast", words, show(value.shape))
    return Derived(None, "in place", f"{show(value.shape)} into {show(target)}")
