"""Operations that rearrange elements or dimensions: as many elements come out as go in."""

from __future__ import annotations

import re
from typing import Any

from shapeproof.dims import Dim, Shape, exact_div, expr_of, product
from shapeproof.dims.conditions import decide
from shapeproof.records import dataclass
from shapeproof.rules.registry import (
    COUNTED,
    Derived,
    Operand,
    Violation,
    axis,
    counts,
    require,
    rule,
    shape_args,
    show,
)


def inferred(shape: Shape, wanted: tuple[int, ...], code: str = "view-size") -> tuple[Shape, str]:
    """Fill in a ``-1`` and check the number of elements; gives the shape and its line of arithmetic."""
    unknown = [place for place, size in enumerate(wanted) if decide("==", size, -1)]
    if len(unknown) > 1 or not all(decide(">=", size, -1) for size in wanted):
        raise Violation(code, "sizes of at least 0, with at most one -1", show(wanted))
    known = product(size for size in wanted if int(size) != -1)
    total = product(shape)
    if not unknown:
        words = f"{_factors(shape)} = {total} elements"
        require("==", known, total, code, words, f"{_factors(wanted)} = {known}")
        return tuple(wanted), f"{_factors(wanted)} = {_factors(shape)} = {total}"
    if decide("==", known, 0):
        raise Violation(code, "a -1 that has one answer", show(wanted))
    rest = f"{_factors(shape)} = {total}, a multiple of {known}"
    require("mod", total, known, code, rest, f"{show(shape)} as {show(wanted)}")
    missing = exact_div(total, known)
    out = tuple(missing if int(size) == -1 else size for size in wanted)
    return out, _missing_line(shape, wanted, missing, known)


def _factors(shape: Shape) -> str:
    return " * ".join(f"({s})" if " " in str(s) else str(s) for s in shape) if shape else "1"


def _missing_line(shape: Shape, wanted: tuple[int, ...], missing: int, known: int) -> str:
    """What the -1 becomes: the sizes left over where the others are kept as they were, else the division."""
    kept = list(wanted[:-1])
    if int(wanted[-1]) == -1 and [str(s) for s in shape[: len(kept)]] == [str(s) for s in kept]:
        return f"{_factors(shape[len(kept) :])} = {missing}"
    return f"({_factors(shape)}) / {known} = {missing}"


def _check_strides(input: Operand, shape: Shape) -> None:
    """``view`` copies nothing: each new dimension must lie within dimensions that follow each other in memory.

    Source: PyTorch's page of ``Tensor.view``; the order of the steps is that of its ``computeStride``.
    """
    if not input.stride or decide("==", product(input.shape), 0):
        return
    # how a size of 1 lies in memory says nothing
    dims = [pair for pair in zip(input.shape, input.stride, strict=True) if isinstance(pair[0], Dim) or pair[0] != 1]
    if all(int(size) != 1 for size, _ in dims) and _in_order(_lettered(dims)):
        return
    laid = _lettered([pair for pair in dims if not decide("==", pair[0], 1)])
    if _in_order(laid):
        return
    wanted, length, base = list(shape), 1, laid[-1].stride
    for place in reversed(range(len(laid))):
        length = length * laid[place].size
        if place and _follows(laid[place - 1], length * base):
            continue
        taken = 1
        while wanted and (not decide("==", taken, length) or decide("==", wanted[-1], 1)):
            taken = taken * wanted.pop()
        got = f"strides {show(input.stride)}: use reshape, or contiguous() first"
        require("==", taken, length, "view-stride", f"memory that can be seen as {show(shape)}", got)
        length, base = 1, laid[max(place - 1, 0)].stride


@dataclass(frozen=True)
class _Laid:
    """A size and its stride, with letters; ``sure`` where these are known to be its letters."""

    size: int
    stride: int
    sure: bool


def _follows(outer: _Laid, needed: int) -> bool:
    """Whether a dimension goes on where the inner ones end; of a stride that has no letters its number tells."""
    return decide("==", outer.stride, needed) if outer.sure else int(outer.stride) == int(needed)


def _lettered(dims: list[tuple[int, int]]) -> list[_Laid]:
    """Sizes and strides, these with the letters of the sizes further in.

    They have them where the elements lie side by side in some order of the dimensions; a slice leaves gaps.
    """
    found: dict[int, _Laid] = {}
    step, dense = 1, True
    for place in sorted(range(len(dims)), key=lambda place: (dims[place][1], -place)):
        size, stride = dims[place]
        beside = stride == int(step)
        dense = dense and beside
        found[place] = _Laid(size, step if beside else stride, dense)
        step = found[place].stride * size
    return [found[place] for place in range(len(dims))]


def _in_order(laid: list[_Laid]) -> bool:
    """Whether the elements lie one after another as the sizes count them, whatever the letters."""
    step = 1
    for one in reversed(laid):
        if not one.sure or not expr_of(one.stride).same(expr_of(step)):
            return False
        step = step * one.size
    return True


@rule("view", page="torch.Tensor.view")
def view(input: Operand, *shape: Any, **named: Any) -> Derived:
    """The same elements under other sizes, without a copy; one size may be -1. Or the same bytes as another dtype."""
    given = shape or tuple(named.values())
    if not isinstance(given[0], (int, tuple, list, Operand)):
        return _as_dtype(input, str(given[0]).removeprefix("torch."))
    wanted = shape_args(given)
    if counts(wanted):
        return _counted(input, wanted)
    out, line = inferred(input.shape, wanted)
    _check_strides(input, out)
    return Derived(out, "product of sizes stays", line)


def _as_dtype(input: Operand, dtype: str) -> Derived:
    """The last size grows or shrinks by the bytes of an element: ``size * from / to``."""
    old, new = _bytes(input.dtype), _bytes(dtype)
    if old == new:
        return Derived(input.shape, "out = in", show(input.shape))
    if not input.shape:
        raise Violation("rank", "at least 1 dimension", "0: ()")
    if input.stride and input.stride[-1] != 1:
        raise Violation("view-stride", "elements of the last dim side by side", f"strides {show(input.stride)}")
    *lead, last = input.shape
    size = exact_div(last * old, new) if decide("mod", last * old, new) else None
    if size is None:
        raise Violation("view-size", f"{last} * {old} bytes, a multiple of {new}", f"{last * old}")
    if new > old and any(step % (new // old) for step in (input.stride or ())[:-1]):
        raise Violation("view-stride", f"strides that {new // old} divides", f"strides {show(input.stride or ())}")
    return Derived((*lead, size), "last * bytes from / bytes to", f"{last} * {old} / {new} = {size}")


def _bytes(dtype: str) -> int:
    bits = re.search(r"\d+", dtype)
    return max(1, int(bits.group()) // 8) if bits else 1


@rule("reshape", "view_copy", page="torch.reshape")
def reshape(input: Operand, *shape: Any, **named: Any) -> Derived:
    """The same elements under other sizes; one size may be -1."""
    wanted = shape_args(shape or (named["shape"],))
    if counts(wanted):
        return _counted(input, wanted)
    out, line = inferred(input.shape, wanted)
    return Derived(out, "product of sizes stays", line)


def _counted(input: Operand, wanted: Shape) -> Derived:
    """Where a tensor says one of the sizes, a -1 beside it is for the values to tell as well."""
    shape = tuple(COUNTED if int(size) == -1 else size for size in wanted)
    return Derived(shape, "product of sizes stays", f"{show(input.shape)} -> {show(shape)}")


@rule("flatten", page="torch.flatten")
def flatten(input: Operand, start_dim: int = 0, end_dim: int = -1) -> Derived:
    """The dimensions from ``start_dim`` to ``end_dim`` become one."""
    rank = len(input.shape)
    first, last = axis(start_dim, rank), axis(end_dim, rank)
    if first > last:
        raise Violation("dim-range", "start_dim not after end_dim", f"{start_dim} and {end_dim}")
    if not rank:
        return Derived((1,), "product of sizes stays", "1 = 1")
    middle = input.shape[first : last + 1]
    total = product(middle)
    shape = (*input.shape[:first], total, *input.shape[last + 1 :])
    return Derived(shape, "product of sizes stays", f"{_factors(middle)} = {total}")


@rule("transpose", "transpose_copy", "swapaxes", "swapdims", page="torch.transpose")
def transpose(input: Operand, dim0: int, dim1: int) -> Derived:
    """Two dimensions change places."""
    places = list(range(len(input.shape)))
    if not places:
        axis(dim0, 0), axis(dim1, 0)
        return Derived((), "dims swapped", "() -> ()")
    a, b = axis(dim0, len(places)), axis(dim1, len(places))
    places[a], places[b] = places[b], places[a]
    return _moved(input, tuple(places))


@rule("permute", "permute_copy", page="torch.permute")
def permute(input: Operand, *dims: Any, **named: Any) -> Derived:
    """The dimensions in another order."""
    wanted = shape_args(dims or (named["dims"],))
    rank = len(input.shape)
    if len(wanted) != rank:
        raise Violation(
            "rank", f"an order of {rank} dimensions for {show(input.shape)}", f"{len(wanted)}: {show(wanted)}"
        )
    places = tuple(axis(dim, rank) for dim in wanted)
    if len(set(places)) != rank:
        raise Violation("dim-range", "each dim named once", show(wanted))
    return _moved(input, places)


@rule("t", "t_copy", page="torch.t")
def t(input: Operand) -> Derived:
    """Rows and columns change places; a list or a number stays."""
    if len(input.shape) > 2:
        raise Violation("rank", "at most 2 dimensions", f"{len(input.shape)}: {show(input.shape)}")
    return reversed_dims(input)


@rule("T", page="torch.Tensor")
def reversed_dims(input: Operand) -> Derived:
    """The dimensions in the opposite order."""
    return _moved(input, tuple(range(len(input.shape)))[::-1])


@rule("H", page="torch.Tensor")
def hermitian(input: Operand) -> Derived:
    """Rows and columns of one matrix change places."""
    if len(input.shape) not in (0, 2):
        raise Violation("rank", "2 dimensions", f"{len(input.shape)}: {show(input.shape)}")
    return reversed_dims(input)


def _moved(input: Operand, places: tuple[int, ...]) -> Derived:
    shape = tuple(input.shape[place] for place in places)
    return Derived(shape, f"dims {show(places)}", f"{show(input.shape)} -> {show(shape)}")


@rule("unsqueeze", "unsqueeze_copy", page="torch.unsqueeze")
def unsqueeze(input: Operand, dim: int) -> Derived:
    """A dimension of size 1 is put in at ``dim``."""
    place = axis(dim, len(input.shape) + 1)
    shape = (*input.shape[:place], 1, *input.shape[place:])
    return Derived(shape, "insert 1", f"{show(input.shape)} -> {show(shape)}")


@rule("squeeze", "squeeze_copy", page="torch.squeeze")
def squeeze(input: Operand, dim: Any = None) -> Derived:
    """Dimensions of size 1 go: all of them, or those named."""
    rank = len(input.shape)
    named = range(rank) if dim is None else [axis(d, rank) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))]
    shape = tuple(size for place, size in enumerate(input.shape) if place not in named or not decide("==", size, 1))
    return Derived(shape, "drop 1s", f"{show(input.shape)} -> {show(shape)}")
