"""Sorting, choosing the largest, and running sums: what goes along one dimension."""

from __future__ import annotations

from typing import Any

from shapeproof.dims.conditions import decide
from shapeproof.rules.registry import (
    COUNTED,
    Derived,
    Operand,
    Unsupported,
    Violation,
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
    place = axis(dim, len(input.shape))
    return becomes(input, (*input.shape[:place], *input.shape[place + 1 :]), "drop dim")


@rule("cumulative_trapezoid", page="torch.cumulative_trapezoid")
def cumulative_trapezoid(input: Operand, x: Any = None, dx: Any = None, dim: int = -1) -> Derived:
    """The area under a curve so far, along a dim: one fewer than the points."""
    if not input.shape or isinstance(x, Operand):
        raise Unsupported
    place = axis(dim, len(input.shape))
    size = input.shape[place]
    left = size - 1 if decide(">=", size, 1) else 0
    return becomes(input, (*input.shape[:place], left, *input.shape[place + 1 :]), "size - 1 along dim")


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
