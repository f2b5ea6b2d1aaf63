"""Rows and columns side by side, grids of coordinates, diagonals, turned and rolled tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from shapeproof.dims import Shape, product
from shapeproof.dims.conditions import decide
from shapeproof.rules.elementwise import broadcast
from shapeproof.rules.indexing import sliced
from shapeproof.rules.joining import cat
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
    shape_args,
    show,
    unchanged,
)
from shapeproof.rules.reshaping import inferred, view
from shapeproof.rules.scattering import exactly


def several(tensors: tuple[Any, ...]) -> list[Operand]:
    """Tensors given one by one or as one sequence."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    return list(given)


def _at_least(shape: Shape, rank: int) -> Shape:
    """Sizes of 1 put in as ``atleast_1d``, ``_2d`` and ``_3d`` do."""
    if rank == 3 and len(shape) < 3:
        return ((1, 1, 1), (1, *shape, 1), (*shape, 1))[len(shape)]
    return (1,) * (rank - len(shape)) + tuple(shape)


def _register_atleast(rank: int) -> None:
    def atleast(*tensors: Any) -> Derived:
        """Sizes of 1 are put in until there are enough dimensions."""
        if len(tensors) == 1 and isinstance(tensors[0], Operand):
            return becomes(tensors[0], _at_least(tensors[0].shape, rank), "insert 1s")
        shapes = tuple(_at_least(operand.shape, rank) for operand in several(tensors))
        return Derived(shapes, "insert 1s", ", ".join(map(show, shapes)))

    rule(f"atleast_{rank}d", page=f"torch.atleast_{rank}d")(atleast)


for _rank in (1, 2, 3):
    _register_atleast(_rank)


def _joined(tensors: Sequence[Operand], rank: int, dim: int) -> Derived:
    return cat([Operand(_at_least(operand.shape, rank)) for operand in tensors], dim)


@rule("hstack", page="torch.hstack")
def hstack(tensors: Sequence[Operand]) -> Derived:
    """Side by side: along dim 1, along dim 0 for rows of numbers."""
    first = len(tensors[0].shape) if tensors else 1
    return _joined(tensors, 1, 0 if first < 2 else 1)


@rule("vstack", "row_stack", page="torch.vstack")
def vstack(tensors: Sequence[Operand]) -> Derived:
    """One below the other."""
    return _joined(tensors, 2, 0)


@rule("dstack", page="torch.dstack")
def dstack(tensors: Sequence[Operand]) -> Derived:
    """One behind the other."""
    return _joined(tensors, 3, 2)


@rule("column_stack", page="torch.column_stack")
def column_stack(tensors: Sequence[Operand]) -> Derived:
    """Rows of numbers become columns, then side by side."""
    columns = [Operand((product(o.shape), 1) if len(o.shape) < 2 else o.shape) for o in tensors]
    return cat(columns, 1)


@rule("broadcast_tensors", page="torch.broadcast_tensors")
def broadcast_tensors(*tensors: Any) -> Derived:
    """Each expanded to the shape that all broadcast to."""
    given = several(tensors)
    shape = broadcast([operand.shape for operand in given])
    return Derived((shape,) * len(given), "out = broadcast(a, b)", f"each to {show(shape)}")


@rule("meshgrid", page="torch.meshgrid")
def meshgrid(*tensors: Any, indexing: Any = None) -> Derived:
    """A grid for each list of coordinates, all of one shape: the lengths in order (``"xy"`` swaps the first two)."""
    given = several(tensors)
    lengths = []
    for operand in given:
        if len(operand.shape) > 1:
            raise Violation("rank", "lists of coordinates", show(operand.shape))
        lengths.append(operand.shape[0] if operand.shape else 1)
    if indexing == "xy" and len(lengths) > 1:
        lengths[:2] = lengths[1::-1]
    return Derived((tuple(lengths),) * len(given), "(lengths)", f"each to {show(tuple(lengths))}")


@rule("cartesian_prod", page="torch.cartesian_prod")
def cartesian_prod(*tensors: Any) -> Derived:
    """Every combination, one a row."""
    given = several(tensors)
    for operand in given:
        if len(operand.shape) != 1:
            raise Violation("rank", "lists of 1 dimension", show(operand.shape))
    rows = product(operand.shape[0] for operand in given)
    shape = (rows, len(given)) if len(given) > 1 else (rows,)
    line = f"{' * '.join(str(operand.shape[0]) for operand in given)} = {rows}"
    return Derived(shape, "(product of lengths, lists)", line)


@rule("combinations", page="torch.combinations")
def combinations(input: Operand, r: int = 2, with_replacement: bool = False) -> Derived:
    """Every choice of ``r``, one a row."""
    if len(input.shape) != 1:
        raise Violation("rank", "1 dimension", show(input.shape))
    require(">=", r, 0, "argument", "r of at least 0", f"{r}")
    decide("==", input.shape[0], int(input.shape[0]))  # n over r is no polynomial of n
    n = int(input.shape[0]) + (r - 1 if with_replacement and r else 0)
    rows = math.comb(n, r) if n >= 0 else 0
    shape = (rows, r) if r else (0,)
    return becomes(input, shape, "(n over r, r)")


@rule("roll", page="torch.roll")
def roll(input: Operand, shifts: Any, dims: Any = None) -> Derived:
    """Elements move along the named dims and come in again at the other end; the shape stays."""
    count = len(shifts) if isinstance(shifts, (tuple, list)) else 1
    along = () if dims is None else dims if isinstance(dims, (tuple, list)) else (dims,)
    if not count or ((along or count != 1) and len(along) != count):
        raise Violation("argument", "a shift for each dim", f"{count} and {len(along)}")
    if along and not input.shape:
        raise Violation("rank", "at least 1 dimension where dims are named", "0: ()")
    for dim in along if int(product(input.shape)) else ():
        axis(dim, len(input.shape))
    return unchanged(input)


@rule("rot90", page="torch.rot90")
def rot90(input: Operand, k: int = 1, dims: Any = (0, 1)) -> Derived:
    """Turned by ``k`` right angles in the plane of two dims, which change places if k is odd."""
    if len(dims) != 2 or len(input.shape) < 2:
        raise Violation("dim-range", "two dims of a tensor with at least 2", f"{tuple(dims)} of {show(input.shape)}")
    a, b = axes(tuple(dims), len(input.shape))
    shape = list(input.shape)
    if k % 2:
        shape[a], shape[b] = shape[b], shape[a]
    return becomes(input, tuple(shape), "dims swapped" if k % 2 else "out = in")


@rule("fliplr", page="torch.fliplr")
def fliplr(input: Operand) -> Derived:
    """Left and right change places; the shape stays."""
    if len(input.shape) < 2:
        raise Violation("rank", "at least 2 dimensions", show(input.shape))
    return unchanged(input)


@rule("flipud", page="torch.flipud")
def flipud(input: Operand) -> Derived:
    """Up and down change places; the shape stays."""
    if not input.shape:
        raise Violation("rank", "at least 1 dimension", "0: ()")
    return unchanged(input)


def _diagonal_length(rows: int, columns: int, offset: int) -> int:
    """``min(rows, columns - offset)``, or ``min(rows + offset, columns)``, and never below 0."""
    rows, columns = (rows, columns - offset) if offset >= 0 else (rows + offset, columns)
    first = rows if decide(">=", columns, rows) else columns
    return 0 if decide(">=", 0, first) else first


@rule("diagonal", "diagonal_copy", page="torch.diagonal")
def diagonal(
    input: Operand, offset: int = 0, dim1: int | None = None, dim2: int | None = None, **named: Any
) -> Derived:
    """Two dimensions go; the diagonal comes last."""
    pair = (0, 1) if dim1 is None and dim2 is None else (0 if dim1 is None else dim1, 1 if dim2 is None else dim2)
    return _diagonal(input, offset, pair)


@rule("linalg_diagonal", page="torch.linalg.diagonal")
def linalg_diagonal(A: Operand, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Derived:  # noqa: N803
    """The same, of the last two dimensions where none are named."""
    return _diagonal(A, offset, (dim1, dim2))


def _diagonal(input: Operand, offset: int, pair: tuple[int, int]) -> Derived:
    rank = len(input.shape)
    a, b = axis(pair[0], rank), axis(pair[1], rank)
    if a == b:
        raise Violation("dim-range", "two different dims", str(pair))
    length = _diagonal_length(input.shape[a], input.shape[b], offset)
    rest = tuple(size for place, size in enumerate(input.shape) if place not in (a, b))
    return becomes(input, (*rest, length), "(*, min(rows, columns - offset))")


@rule("diag", page="torch.diag")
def diag(input: Operand, diagonal: int = 0) -> Derived:
    """Of a vector, the matrix with it on the diagonal; of a matrix, its diagonal."""
    if len(input.shape) == 1:
        return diag_embed(input, diagonal)
    if len(input.shape) != 2:
        raise Violation("rank", "1 or 2 dimensions", show(input.shape))
    return _diagonal(input, diagonal, (0, 1))


@rule("diag_embed", page="torch.diag_embed")
def diag_embed(input: Operand, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Derived:
    """The last dimension becomes the diagonal of two of size ``n + |offset|``."""
    rank = len(input.shape) + 1
    a, b = axis(dim1, rank), axis(dim2, rank)
    if a == b or not input.shape:
        raise Violation("dim-range", "two different dims, of at least 1 dimension", f"{dim1}, {dim2}")
    size = input.shape[-1] + abs(offset)
    rest = iter(input.shape[:-1])
    shape = tuple(size if place in (a, b) else next(rest) for place in range(rank))
    return becomes(input, shape, "n + |offset|")


@rule("diagflat", page="torch.diagflat")
def diagflat(input: Operand, offset: int = 0) -> Derived:
    """All elements on the diagonal of one matrix."""
    size = product(input.shape) + abs(offset)
    return becomes(input, (size, size), "n + |offset|")


@rule("diagonal_scatter", page="torch.diagonal_scatter")
def diagonal_scatter(input: Operand, src: Operand, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Derived:
    """The source into the diagonal, whose shape it has."""
    target = _diagonal(input, offset, (dim1, dim2)).shape
    exactly(src, target)
    return unchanged(input)


@rule("unflatten", page="torch.unflatten")
def unflatten(input: Operand, dim: Any, sizes: Any) -> Derived:
    """One dimension becomes several, of the same product; one of them may be -1."""
    place = axis(dim, len(input.shape))
    if not input.shape or not tuple(sizes):
        raise Violation("rank", "a dimension, and sizes for it", f"{show(input.shape)}, {tuple(sizes)}")
    out, line = inferred(input.shape[place : place + 1], tuple(sizes), "unflatten")
    return Derived((*input.shape[:place], *out, *input.shape[place + 1 :]), "product of sizes stays", line)


@rule("view_as", page="torch.Tensor.view_as")
def view_as(input: Operand, other: Operand) -> Derived:
    """The same elements under another tensor's sizes, without a copy."""
    return view(input, tuple(other.shape))


@rule("reshape_as", page="torch.Tensor.reshape_as")
def reshape_as(input: Operand, other: Operand) -> Derived:
    """The same elements under another tensor's sizes."""
    out, line = inferred(input.shape, other.shape)
    return Derived(out, "product of sizes stays", line)


@rule("resize_as", page="torch.Tensor.resize_as_")
def resize_as(input: Operand, other: Operand, **_: Any) -> Derived:
    """Another tensor's sizes, whatever there was before."""
    return becomes(input, other.shape, "out = size")


@rule("resize", page="torch.Tensor.resize_")
def resize(input: Operand, *sizes: Any, **_: Any) -> Derived:
    """The sizes asked for, whatever there was before."""
    wanted = shape_args(sizes)
    for size in wanted:
        require(">=", size, 0, "argument", "sizes of at least 0", show(wanted))
    return becomes(input, wanted, "out = size")


@rule("ravel", page="torch.ravel")
def ravel(input: Operand) -> Derived:
    """All elements in one row."""
    return becomes(input, (product(input.shape),), "product of sizes stays")


@rule("as_strided", "as_strided_copy", page="torch.as_strided")
def as_strided(input: Operand, size: Any, stride: Any, storage_offset: Any = None) -> Derived:
    """Sizes and strides laid over the memory, which must reach so far."""
    if len(size) != len(stride):
        raise Violation("argument", "a stride for each size", f"{len(size)} and {len(stride)}")
    return becomes(input, shape_args((tuple(size),)), "out = size")


@rule("sum_to_size", page="torch.Tensor.sum_to_size")
def sum_to_size(input: Operand, *size: Any) -> Derived:
    """Summed over what broadcasting would have made of the smaller shape."""
    wanted = shape_args(size)
    if len(wanted) > len(input.shape):
        raise Violation("broadcast", f"a shape that broadcasts to {show(input.shape)}", show(wanted))
    for have, want in zip(reversed(input.shape), reversed(wanted), strict=False):
        if not decide("==", want, 1):
            words = f"a shape that broadcasts to {show(input.shape)}"
            require("==", have, want, "broadcast", words, show(wanted))
    return becomes(input, wanted, "sum to size")


@rule("tensor_split", page="torch.tensor_split")
def tensor_split(input: Operand, indices_or_sections: Any = None, dim: int = 0, **named: Any) -> Derived:
    """So many pieces, the first ones longer by one where it does not come out even; or cuts at indices."""
    wanted = named.get("sections", named.get("indices", indices_or_sections))
    if not input.shape:
        raise Violation("rank", "at least 1 dimension", "0: ()")
    place = axis(dim, len(input.shape))
    size = input.shape[place]
    if isinstance(wanted, Operand):
        return _cut_by_values(input, wanted, place)
    if isinstance(wanted, int):
        require(">=", wanted, 1, "argument", "at least 1 section", f"{wanted}")
        pieces = [(size + wanted - 1 - i) // wanted for i in range(int(wanted))]
    else:
        pieces = [sliced(size, slice(a, b)) for a, b in zip((0, *wanted), (*wanted, None), strict=True)]
    shapes = tuple((*input.shape[:place], piece, *input.shape[place + 1 :]) for piece in pieces)
    return Derived(shapes, "sizes along dim", " + ".join(map(str, pieces)))


def _cut_by_values(input: Operand, wanted: Operand, place: int) -> Derived:
    """Cuts at the places that a list of numbers names; of a single number even the count is unknown."""
    if len(wanted.shape) > 1:
        raise Violation("rank", "a number, or a list of places", show(wanted.shape))
    if not wanted.shape:
        raise Unsupported
    piece = (*input.shape[:place], COUNTED, *input.shape[place + 1 :])
    return Derived((piece,) * (int(wanted.shape[0]) + 1), "sizes along dim", "cut at values")


def _register_direction(name: str, least: int, dim: int) -> None:
    def directed(input: Operand, indices_or_sections: Any = None, **named: Any) -> Derived:
        """``tensor_split`` along one direction; a number of sections must divide the size."""
        wanted = named.get("sections", named.get("indices", indices_or_sections))
        if len(input.shape) < least:
            raise Violation("rank", f"at least {least} dimensions", show(input.shape))
        place = 0 if name == "hsplit" and len(input.shape) == 1 else dim
        if isinstance(wanted, int):
            require("mod", input.shape[place], wanted, "split", f"a multiple of {wanted}", f"{input.shape[place]}")
        return tensor_split(input, wanted, place)

    rule(name, page=f"torch.{name}")(directed)


_register_direction("hsplit", 1, 1)
_register_direction("vsplit", 2, 0)
_register_direction("dsplit", 3, 2)
