"""Writing elements to the places that indices name; the tensor written into keeps its shape."""

from __future__ import annotations

from typing import Any

from shapeproof.dims import Shape, product
from shapeproof.rules.elementwise import broadcast, fits
from shapeproof.rules.gathering import at_least_1d, fits_but, index_list, is_empty, same_rank
from shapeproof.rules.indexing import indexed
from shapeproof.rules.registry import Derived, Operand, Violation, axis, require, require_shape, rule, show, unchanged


def _fitting(value: Operand, target: Shape) -> None:
    fits(value.shape, target, f"a value that fits into {show(target)}")


@rule("scatter", "scatter_add", "scatter_reduce", page="torch.scatter")
def scatter(input: Operand, dim: int, index: Operand, src: Any = None, *_: Any, **__: Any) -> Derived:
    """``input[index[i][j]][j] = src[i][j]``: the index fits into the source, and into the tensor but along ``dim``."""
    place = axis(dim, len(input.shape))
    if is_empty(index):
        return unchanged(input)
    same_rank(index, input.shape)
    fits_but(place, index, input.shape, "an index")
    if isinstance(src, Operand) and (src.shape or index.shape):
        if len(at_least_1d(src.shape)) != len(at_least_1d(index.shape)):
            raise Violation("rank", f"a source of {len(index.shape)} dimensions", show(src.shape))
        for a, b in zip(at_least_1d(src.shape), at_least_1d(index.shape), strict=True):
            require(">=", a, b, "index-range", f"a source of at least {show(index.shape)}", show(src.shape))
    return unchanged(input)


@rule("index_copy", page="torch.Tensor.index_copy_")
def index_copy(input: Operand, dim: int, index: Operand, source: Operand) -> Derived:
    """As ``index_add``; one number may be written to one place."""
    one = Operand(at_least_1d(input.shape)), Operand(at_least_1d(source.shape))
    index_add(one[0], dim, index, one[1])
    return unchanged(input)


@rule("index_add", "index_reduce", page="torch.index_add")
def index_add(input: Operand, dim: int, index: Operand, source: Operand, *_: Any, **__: Any) -> Derived:
    """Each row of the source goes to the row that the index names; the other sizes are equal."""
    place = axis(dim, len(input.shape))
    count = index_list(index)
    rows = source.shape[place] if source.shape and place < len(source.shape) else 1
    require("==", rows, count, "index-range", f"{count} rows in the source", show(source.shape))
    if len(source.shape) != len(input.shape):
        raise Violation("rank", f"a source of {len(input.shape)} dimensions", show(source.shape))
    for other, (a, b) in enumerate(zip(source.shape, input.shape, strict=False)):
        if other != place:
            require("==", a, b, "broadcast", f"sizes of {show(input.shape)} but in dim {place}", show(source.shape))
    return unchanged(input)


@rule("index_fill", page="torch.Tensor.index_fill_")
def index_fill(input: Operand, dim: int, index: Operand, value: Any) -> Derived:
    """One value into the rows that the index names."""
    axis(dim, len(input.shape))
    index_list(index)
    if isinstance(value, Operand) and value.shape:
        raise Violation("rank", "one value", show(value.shape))
    return unchanged(input)


@rule("index_put", page="torch.Tensor.index_put_")
def index_put(input: Operand, indices: Any, values: Operand, accumulate: bool = False) -> Derived:
    """As ``x[indices] = values``."""
    places = tuple(slice(None) if part is None else part for part in indices)
    if any(isinstance(part, Operand) and part.dtype in ("bool", "uint8") for part in places):
        return unchanged(input)
    _fitting(values, indexed(input.shape, places))
    return unchanged(input)


@rule("masked_scatter", page="torch.Tensor.masked_scatter_")
def masked_scatter(input: Operand, mask: Operand, source: Operand) -> Derived:
    """The source's elements, in order, to where the mask is true."""
    shape = broadcast([input.shape, mask.shape])
    return Derived(shape, "out = broadcast(a, b)", f"{show(input.shape)} with {show(mask.shape)} -> {show(shape)}")


@rule("put", page="torch.Tensor.put_")
def put(input: Operand, index: Operand, source: Operand, accumulate: bool = False) -> Derived:
    """One element of the source for each index."""
    a, b = product(index.shape), product(source.shape)
    require("==", a, b, "broadcast", "as many elements as indices", f"{show(index.shape)} and {show(source.shape)}")
    return unchanged(input)


@rule("slice_scatter", page="torch.slice_scatter")
def slice_scatter(
    input: Operand, src: Operand, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Derived:
    """The source into a slice along ``dim``; it has the slice's shape."""
    place = axis(dim, len(input.shape))
    whole = [slice(None)] * len(input.shape)
    whole[place] = slice(start, end, step)
    exactly(src, indexed(input.shape, tuple(whole)))
    return unchanged(input)


@rule("select_scatter", page="torch.select_scatter")
def select_scatter(input: Operand, src: Operand, dim: int, index: int) -> Derived:
    """The source into one place along ``dim``; it has the shape that is left."""
    place = axis(dim, len(input.shape))
    exactly(src, indexed(input.shape, (*[slice(None)] * place, index)))
    return unchanged(input)


def exactly(src: Operand, target: Shape) -> None:
    """Require a source of this very shape."""
    require_shape(src.shape, target, "broadcast", f"a source of shape {show(target)}")


@rule("fill_diagonal", page="torch.Tensor.fill_diagonal_")
def fill_diagonal(input: Operand, fill_value: Any, wrap: bool = False) -> Derived:
    """One value along the diagonal; with more than two dimensions all sizes are equal."""
    if len(input.shape) < 2:
        raise Violation("rank", "at least 2 dimensions", show(input.shape))
    for size in input.shape[1:] if len(input.shape) > 2 else ():
        require("==", size, input.shape[0], "broadcast", "equal sizes", show(input.shape))
    return unchanged(input)
