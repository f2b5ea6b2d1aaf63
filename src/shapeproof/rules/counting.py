"""Counting: histograms and distinct values, whose number the values decide."""

from __future__ import annotations

from typing import Any

from shapeproof.rules.registry import COUNTED, Derived, Operand, Violation, axis, becomes, require, rule, show


@rule("bincount", page="torch.bincount")
def bincount(input: Operand, weights: Any = None, minlength: int = 0) -> Derived:
    """One count for each number from 0 to the largest, which the values decide."""
    if len(input.shape) != 1:
        raise Violation("rank", "1 dimension", show(input.shape))
    if isinstance(weights, Operand):
        if len(weights.shape) != 1:
            raise Violation("rank", "weights of 1 dimension", show(weights.shape))
        require("==", weights.shape[0], input.shape[0], "broadcast", "one weight each", show(weights.shape))
    return becomes(input, (COUNTED,), "(largest + 1)")


@rule("histc", page="torch.histc")
def histc(input: Operand, bins: int = 100, *_: Any, **__: Any) -> Derived:
    """One count for each bin."""
    require(">=", bins, 1, "argument", "at least 1 bin", f"{bins}")
    return becomes(input, (bins,), "(bins)")


@rule("histogram", page="torch.histogram")
def histogram(input: Operand, bins: Any, **_: Any) -> Derived:
    """One count for each bin, and the edges, one more."""
    edges = isinstance(bins, Operand)
    if edges and len(bins.shape) != 1:
        raise Violation("rank", "edges of 1 dimension", show(bins.shape))
    count = bins.shape[0] - 1 if edges else bins
    require(">=", count, 1, "argument", "at least 1 bin", f"{count}")
    return Derived(((count,), (count + 1,)), "(bins), (bins + 1)", show(input.shape))


@rule("unravel_index", page="torch.unravel_index")
def unravel_index(indices: Operand, shape: Any) -> Derived:
    """The places of flat indices: the indices' shape for each dim of the shape."""
    count = 1 if isinstance(shape, int) else len(shape)
    return Derived((indices.shape,) * count, "out = in", f"{count} times {show(indices.shape)}")


def _distinct(input: Operand, dim: int | None, inverse: bool, counts: bool) -> Derived:
    if dim is None:
        values: tuple[int, ...] = (COUNTED,)
    else:
        place = axis(dim, len(input.shape))
        values = (*input.shape[:place], COUNTED, *input.shape[place + 1 :])
    shapes: list[tuple[int, ...]] = [values]
    if inverse:
        shapes.append(input.shape if dim is None else (input.shape[axis(dim, len(input.shape))],))
    if counts:
        shapes.append((COUNTED,))
    shape = tuple(shapes) if len(shapes) > 1 else values
    return Derived(shape, "(number of distinct)", show(input.shape))


@rule("unique", page="torch.unique")
def unique(
    input: Operand, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: Any = None
) -> Derived:
    """The distinct values, or rows along ``dim``; how many they are, the values decide."""
    return _distinct(input, dim, return_inverse, return_counts)


@rule("unique_consecutive", page="torch.unique_consecutive")
def unique_consecutive(
    input: Operand, return_inverse: bool = False, return_counts: bool = False, dim: Any = None
) -> Derived:
    """The values without their repeats in a row; how many they are, the values decide."""
    return _distinct(input, dim, return_inverse, return_counts)
