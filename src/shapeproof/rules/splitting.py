"""Operations that take a tensor apart, repeat it, or move what it holds along its dimensions."""

from __future__ import annotations

from typing import Any

from shapeproof.dims import Shape, ceil_div, exact_div, same
from shapeproof.dims.conditions import decide
from shapeproof.rules.registry import (
    Counted,
    Derived,
    Operand,
    Violation,
    axes,
    axis,
    require,
    rule,
    shape_args,
    show,
)


def _pieces(input: Operand, sizes: list[int], place: int, line: str) -> Derived:
    shapes = tuple((*input.shape[:place], size, *input.shape[place + 1 :]) for size in sizes)
    return Derived(shapes, "sizes along dim", line)


def _place(input: Operand, dim: int) -> int:
    if not input.shape:
        raise Violation("rank", "at least 1 dimension", "0: ()")
    return axis(dim, len(input.shape))


def _even(input: Operand, each: int, place: int) -> Derived:
    """Pieces of one size, the last perhaps shorter; how many there are is a fact of this size."""
    size = input.shape[place]
    count = max(1, int(ceil_div(int(size), int(each)))) if int(each) else 1
    decide(">=", each * count, size)  # as many pieces as at this size
    decide(">=", size, each * (count - 1) + 1)
    last = size - each * (count - 1) if count > 1 else size
    return _pieces(input, [each] * (count - 1) + [last], place, f"{size} = {count - 1} * {each} + {last}")


@rule("chunk", "unsafe_chunk", page="torch.chunk")
def chunk(input: Operand, chunks: int, dim: int = 0) -> Derived:
    """At most ``chunks`` pieces of ``ceil(size/chunks)``, the last perhaps shorter."""
    place = _place(input, dim)
    if chunks < 1:
        raise Violation("argument", "at least 1 chunk", f"{chunks}")
    size = input.shape[place]
    if decide("==", size, 0):
        return _pieces(input, [size] * chunks, place, f"{chunks} empty pieces")
    if decide("mod", size, chunks):
        return _pieces(input, [exact_div(size, chunks)] * chunks, place, f"{size} / {chunks}")
    return _even(input, ceil_div(size, chunks), place)


@rule(
    "split",
    "split_copy",
    "split_with_sizes_copy",
    "split_with_sizes",
    "unsafe_split",
    "unsafe_split_with_sizes",
    page="torch.split",
)
def split(input: Operand, split_size_or_sections: Any = None, dim: int = 0, **named: Any) -> Derived:
    """Pieces of one size, the last perhaps shorter, or of the sizes listed, which must add up."""
    wanted = named.get("split_size", named.get("split_sizes", split_size_or_sections))
    place = _place(input, dim)
    size = input.shape[place]
    if isinstance(wanted, int):
        if wanted < 0 or (int(wanted) == 0 and int(size)):
            raise Violation("split", "pieces of at least 1", f"{wanted}")
        return _even(input, wanted, place)
    if any(piece < 0 for piece in wanted):
        raise Violation("split", "sizes of at least 0", f"{list(wanted)}")
    total = sum(wanted[1:], wanted[0]) if wanted else 0
    line = " + ".join(str(piece) for piece in wanted)
    require("==", size, total, "split", f"{line} = {total} along dim {place}", f"{size}")
    return _pieces(input, list(wanted), place, f"{line} = {total}")


@rule("unbind", "unbind_copy", page="torch.unbind")
def unbind(input: Operand, dim: int = 0) -> Derived:
    """One tensor for each element along ``dim``, which goes."""
    place = _place(input, dim)
    shape = (*input.shape[:place], *input.shape[place + 1 :])
    decide("==", input.shape[place], int(input.shape[place]))
    return Derived((shape,) * int(input.shape[place]), "drop dim", f"{input.shape[place]} of {show(shape)}")


@rule("select", "select_copy", page="torch.select")
def select(input: Operand, dim: int, index: Any) -> Derived:
    """One element along ``dim``, which goes."""
    place = _place(input, dim)
    size = input.shape[place]
    if isinstance(index, Operand):
        shape = (*input.shape[:place], *input.shape[place + 1 :])
        return Derived(shape, "drop dim", f"{show(input.shape)} -> {show(shape)}")
    needed = index + 1 if decide(">=", index, 0) else -index
    require(">=", size, needed, "index-range", f"an index from -{size} to {size} - 1", f"{index}")
    shape = (*input.shape[:place], *input.shape[place + 1 :])
    return Derived(shape, "drop dim", f"{show(input.shape)} -> {show(shape)}")


@rule("narrow", "narrow_copy", page="torch.narrow")
def narrow(input: Operand, dim: int, start: Any, length: int) -> Derived:
    """``length`` elements along ``dim`` from ``start``."""
    place = _place(input, dim)
    size = input.shape[place]
    if length < 0:
        raise Violation("argument", "a length of at least 0", f"{length}")
    shape = (*input.shape[:place], length, *input.shape[place + 1 :])
    if isinstance(start, Operand):
        if start.shape:
            raise Violation("rank", "a start of one number", show(start.shape))
        return Derived(shape, "length along dim", f"{size} -> {length}")
    begin = start if decide(">=", start, 0) else size + start
    require(">=", begin, 0, "index-range", f"a start within {size}", f"{start}")
    require(">=", size, begin + length, "index-range", f"{start} + {length} within {size}", f"{size}")
    return Derived(shape, "length along dim", f"{size} -> {length}")


@rule("expand", "expand_copy", page="torch.Tensor.expand")
def expand(input: Operand, *size: Any, **named: Any) -> Derived:
    """Sizes of 1 become what is asked for; -1 keeps; new dimensions come in front."""
    wanted = shape_args(size or (named["size"],))
    return _expanded(input.shape, wanted)


def _expanded(shape: Shape, wanted: Shape) -> Derived:
    new = len(wanted) - len(shape)
    words = f"sizes that {show(shape)} can be expanded to"
    if new < 0:
        raise Violation("expand", words, show(wanted))
    out: list[int] = []
    for place, want in enumerate(wanted):
        have = shape[place - new] if place >= new else None
        if isinstance(want, Counted):
            out.append(want)
            continue
        if int(want) < -1 or (int(want) == -1 and have is None):
            raise Violation("expand", words, show(wanted))
        if have is None or (not same(have, want) and int(want) != -1 and decide("==", have, 1)):
            out.append(want)
        elif int(want) == -1:
            out.append(have)
        else:
            require("==", want, have, "expand", words, show(wanted))
            out.append(want)
    return Derived(tuple(out), "1 -> size", f"{show(shape)} -> {show(tuple(out))}")


@rule("expand_as", "broadcast_to", page="torch.Tensor.expand_as")
def expand_as(input: Operand, other: Any = None, **named: Any) -> Derived:
    """Expanded to another tensor's shape, or to a shape."""
    wanted = named.get("size", other)
    return _expanded(input.shape, wanted.shape if isinstance(wanted, Operand) else shape_args((tuple(wanted),)))


def _repeated(shape: Shape, times: Shape) -> Derived:
    if any(t < 0 for t in times if not isinstance(t, Counted)):
        raise Violation("argument", "repeats of at least 0", show(times))
    longer = (1,) * (len(times) - len(shape)) + tuple(shape)
    out = tuple(t if isinstance(t, Counted) else size * t for size, t in zip(longer, times, strict=True))
    return Derived(out, "size * repeats", f"{show(longer)} * {show(times)} = {show(out)}")


@rule("repeat", page="torch.Tensor.repeat")
def repeat(input: Operand, *repeats: Any, **named: Any) -> Derived:
    """Each dimension as many times as asked for; at least one number for each dimension."""
    times = shape_args(repeats or (named["repeats"],))
    if len(times) < len(input.shape):
        raise Violation("rank", f"at least {len(input.shape)} repeats", f"{len(times)}: {show(times)}")
    return _repeated(input.shape, times)


@rule("tile", page="torch.tile")
def tile(input: Operand, *dims: Any, **named: Any) -> Derived:
    """As ``repeat``, with 1 for the leading dimensions that are not named."""
    times = shape_args(dims or (named["dims"],))
    return _repeated(input.shape, (1,) * (len(input.shape) - len(times)) + times)


@rule("flip", page="torch.flip")
def flip(input: Operand, *dims: Any, **named: Any) -> Derived:
    """The order along the named dimensions is turned round; the shape stays."""
    wanted = shape_args(dims or (named["dims"],))
    if wanted:
        axes(wanted, len(input.shape))
    return Derived(input.shape, "order turned round", show(input.shape))


@rule("movedim", "moveaxis", page="torch.movedim")
def movedim(input: Operand, source: Any, destination: Any) -> Derived:
    """The named dimensions go to their new places; the others keep their order."""
    rank = len(input.shape)
    come = [source] if isinstance(source, int) else list(source)
    go = [destination] if isinstance(destination, int) else list(destination)
    if len(come) != len(go):
        raise Violation("argument", "as many destinations as sources", f"{len(come)} and {len(go)}")
    if not come:
        return Derived(input.shape, "dims moved", show(input.shape))
    placed = dict(zip(axes(tuple(go), rank), axes(tuple(come), rank), strict=True))
    if not rank:
        return Derived((), "dims moved", "() -> ()")
    others = iter(place for place in range(rank) if place not in placed.values())
    shape = tuple(input.shape[placed[place] if place in placed else next(others)] for place in range(rank))
    return Derived(shape, "dims moved", f"{show(input.shape)} -> {show(shape)}")


@rule("mT", "mH", "adjoint", page="torch.Tensor")
def matrix_transpose(input: Operand) -> Derived:
    """The last two dimensions change places; a number stays."""
    if not input.shape:
        return Derived((), "dims swapped", "() -> ()")
    if len(input.shape) < 2:
        raise Violation("rank", "at least 2 dimensions", f"{len(input.shape)}: {show(input.shape)}")
    shape = (*input.shape[:-2], input.shape[-1], input.shape[-2])
    return Derived(shape, "dims swapped", f"{show(input.shape)} -> {show(shape)}")
