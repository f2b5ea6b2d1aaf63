"""Sorting, choosing the largest, and running sums: what goes along one dimension."""

from __future__ import annotations

from typing import Any

from shapeproof.dims import Shape
from shapeproof.dims.conditions import decide
from shapeproof.rules.elementwise import broadcast
from shapeproof.rules.registry import (
    COUNTED,
    Derived,
    Operand,
    Unsupported,
    Violation,
    axes,
    axis,
    becomes,
    require,
    rule,
    show,
    unchanged,
)


def _pair(found: Derived) -> Derived:
    return Derived((found.shape, found.shape), found.formula, found.arithmetic)


@rule("cumsum", "cumprod", "logcumsumexp", page="torch.cumsum")
def running(input: Operand, dim: int, **_: Any) -> Derived:
    """Each element becomes the sum, or product, of those up to it; the shape stays."""
    axis(dim, len(input.shape))
    return unchanged(input)


@rule("cummax", "cummin", page="torch.cummax")
def running_extreme(input: Operand, dim: int) -> Derived:
    """The largest so far along a dim, and where it stands."""
    axis(dim, len(input.shape))
    return _pair(unchanged(input))


@rule("sort", page="torch.sort")
def sort(input: Operand, dim: int = -1, *_: Any, **named: Any) -> Derived:
    """The values in order along a dim, and where each stood; the shape stays."""
    axis(dim, len(input.shape))
    return _pair(unchanged(input))


@rule("argsort", page="torch.argsort")
def argsort(input: Operand, dim: int = -1, *_: Any, **__: Any) -> Derived:
    """Where each value stands in order along a dim; the shape stays."""
    axis(dim, len(input.shape))
    return unchanged(input)


@rule("msort", page="torch.msort")
def msort(input: Operand) -> Derived:
    """Sorted along the first dimension; the shape stays."""
    return unchanged(input)


@rule("topk", page="torch.topk")
def topk(input: Operand, k: int, dim: int = -1, *_: Any, **__: Any) -> Derived:
    """The k largest along a dim, and where they stand: that dim becomes k."""
    place = axis(dim, len(input.shape))
    if isinstance(k, Operand):
        return _pair(becomes(input, (*input.shape[:place], COUNTED, *input.shape[place + 1 :]), "k along dim"))
    size = input.shape[place] if input.shape else 1
    require(">=", size, k, "argument", f"at least k = {k} elements along dim {place}", f"{size}")
    require(">=", k, 0, "argument", "k of at least 0", f"{k}")
    shape = (*input.shape[:place], k, *input.shape[place + 1 :]) if input.shape else ()
    return _pair(becomes(input, shape, "k along dim"))


@rule("diff", page="torch.diff")
def diff(input: Operand, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Derived:
    """Neighbours' differences, ``n`` times: the dim is shorter by one each time, as far as there is something."""
    if not input.shape:
        raise Violation("rank", "at least 1 dimension", "0: ()")
    if n < 0:
        raise Violation("argument", "n of at least 0", f"{n}")
    if n == 0:
        return unchanged(input)
    place = axis(dim, len(input.shape))
    size = input.shape[place]
    for more in (prepend, append):
        if isinstance(more, Operand):
            size = size + (more.shape[place] if more.shape else 1)
    left = size - n if decide(">=", size, n) else 0
    return becomes(input, (*input.shape[:place], left, *input.shape[place + 1 :]), "size - n along dim")


@rule("trapezoid", "trapz", page="torch.trapezoid")
def trapezoid(input: Operand, x: Any = None, dx: Any = None, dim: int = -1, **_: Any) -> Derived:
    """The area under a curve along a dim, which goes."""
    shape = _points(input, x, dim)
    place = axis(dim, len(shape))
    return becomes(input, (*shape[:place], *shape[place + 1 :]), "drop dim")


def _points(input: Operand, x: Any, dim: int) -> Shape:
    """The shape of the curve together with its places: a list of them lies along the dim, more are broadcast.

    Broadcast are the widths between the places with the heights between the points, one fewer of each.
    """
    if not input.shape:
        raise Violation("rank", "at least 1 dimension", "0: ()")
    place = axis(dim, len(input.shape))
    if not isinstance(x, Operand):
        return input.shape
    if not x.shape:
        raise Unsupported
    size = x.shape[0] if len(x.shape) == 1 else x.shape[axis(dim, len(x.shape))]
    if len(x.shape) == 1:
        require("==", size, input.shape[place], "broadcast", f"{input.shape[place]} places", f"{size}")
        return input.shape
    if len(x.shape) != len(input.shape) and dim >= 0:
        raise Unsupported
    return broadcast([input.shape, x.shape])


@rule("cumulative_trapezoid", page="torch.cumulative_trapezoid")
def cumulative_trapezoid(input: Operand, x: Any = None, dx: Any = None, dim: int = -1) -> Derived:
    """The area under a curve so far, along a dim: one fewer than the points."""
    shape = _points(input, x, dim)
    place = axis(dim, len(shape))
    left = shape[place] - 1 if decide(">=", shape[place], 1) else 0
    return becomes(input, (*shape[:place], left, *shape[place + 1 :]), "size - 1 along dim")


@rule("gradient", page="torch.gradient")
def gradient(input: Operand, *, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> Derived:
    """The slope along each named dim, all of them where none is named: of the input's shape, one each."""
    along = axes(dim, len(input.shape)) if dim is None or not isinstance(dim, (tuple, list)) or dim else ()
    if isinstance(spacing, (tuple, list)):
        require("==", len(spacing), len(along), "argument", f"{len(along)} spacings", f"{len(spacing)}")
    for turn, place in enumerate(along):
        size = input.shape[place]
        require(">=", size, edge_order + 1, "argument", f"at least {edge_order + 1} along dim {place}", f"{size}")
        places = spacing[turn] if isinstance(spacing, (tuple, list)) else None
        if isinstance(places, Operand) and places.shape:
            require("==", places.shape[0], size, "broadcast", f"{size} places", show(places.shape))
    return Derived((input.shape,) * len(along), "out = in", f"{len(along)} times {show(input.shape)}")


@rule("searchsorted", page="torch.searchsorted")
def searchsorted(sorted_sequence: Operand, input: Any = None, **named: Any) -> Derived:
    """For each value the place where it belongs: the values' shape."""
    values = named.get("self", input)
    if not isinstance(values, Operand):
        return Derived((), "out = in", "one number")
    bounds = sorted_sequence.shape
    if not bounds:
        raise Violation("rank", "boundaries of at least 1 dimension", "0: ()")
    if len(bounds) > 1:
        words = f"leading sizes {show(bounds[:-1])}"
        if len(values.shape) != len(bounds):
            raise Violation("broadcast", words, show(values.shape))
        for a, b in zip(values.shape[:-1], bounds[:-1], strict=True):
            require("==", a, b, "broadcast", words, show(values.shape))
    return unchanged(values)


@rule("isin", page="torch.isin")
def isin(elements: Any, test_elements: Any, **_: Any) -> Derived:
    """Whether each element is among others: the elements' shape."""
    shape = elements.shape if isinstance(elements, Operand) else ()
    return Derived(shape, "out = in", show(shape))


@rule("bucketize", page="torch.bucketize")
def bucketize(input: Any, boundaries: Operand, **_: Any) -> Derived:
    """For each value the place where it belongs: the values' shape."""
    if len(boundaries.shape) != 1:
        raise Violation("rank", "boundaries of 1 dimension", show(boundaries.shape))
    return unchanged(input) if isinstance(input, Operand) else Derived((), "out = in", "one number")
