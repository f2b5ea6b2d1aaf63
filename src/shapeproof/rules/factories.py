"""Operations that make a tensor from sizes or numbers, and those that keep a part of a matrix."""

from __future__ import annotations

import math
from typing import Any

from shapeproof.dims import DimFloat
from shapeproof.dims.conditions import decide
from shapeproof.rules.elementwise import elementwise
from shapeproof.rules.registry import (
    COUNTED,
    Derived,
    Operand,
    Unsupported,
    Violation,
    counts,
    require,
    require_rank,
    rule,
    shape_args,
    show,
)

_SIZED = ("zeros", "ones", "empty", "rand", "randn")


def _made(sizes: Any) -> Derived:
    shape = shape_args((tuple(sizes),))
    if counts(shape):
        return Derived(shape, "out = size", show(shape))
    if not all(isinstance(size, int) for size in shape):
        raise Unsupported
    for size in shape:
        require(">=", size, 0, "argument", "sizes of at least 0", show(shape))
    return Derived(shape, "out = size", show(shape))


@rule(*_SIZED, page="torch.zeros")
def sized(*size: Any, **named: Any) -> Derived:
    """A tensor of the sizes that are asked for."""
    return _made(shape_args(size or (named.get("size", ()),)))


@rule("new_zeros", "new_ones", "new_empty", page="torch.Tensor.new_zeros")
def new_sized(input: Operand, *size: Any, **named: Any) -> Derived:
    """A tensor of the sizes that are asked for, of this one's dtype and device."""
    return _made(shape_args(size or (named.get("size", ()),)))


@rule("full", page="torch.full")
def full(size: Any, *_: Any, **__: Any) -> Derived:
    """A tensor of the sizes that are asked for, filled with one value."""
    return _made(size)


@rule("new_full", page="torch.Tensor.new_full")
def new_full(input: Operand, size: Any, *_: Any, **__: Any) -> Derived:
    """A tensor of the sizes that are asked for, filled with one value."""
    return _made(size)


@rule("arange", page="torch.arange")
def arange(*args: Any, start: Any = 0, end: Any = None, step: Any = 1, **_: Any) -> Derived:
    """``ceil((end - start)/step)`` numbers."""
    if len(args) == 1:
        start, end = (args[0], end) if end is not None else (start, args[0])
    elif args:
        start, end, step = (*args, step)[:3]
    if any(isinstance(number, Operand) for number in (start, end, step)):
        return Derived((COUNTED,), "ceil((end - start)/step)", "from values")
    words, got = "a step that leads from start to end", f"{start}, {end}, {step}"
    start, end, step = map(_as_whole, (start, end, step))
    whole = all(isinstance(number, int) for number in (start, end, step))
    if step == 0 or (not whole and (float(end) - float(start)) * float(step) < 0):
        raise Violation("argument", words, got)
    if whole:
        ahead = end - start if decide(">=", step, 0) else start - end
        require(">=", ahead, 0, "argument", words, got)
    count = -((start - end) // step) if whole else math.ceil((float(end) - float(start)) / float(step))
    line = f"ceil(({end} - {start})/{step}) = {count}"
    counts = whole and int(step) == 1 and int(start) >= 0
    return Derived((count,), "ceil((end - start)/step)", line, below=end if counts else None)


def _as_whole(number: Any) -> Any:
    """A float that is a whole number, for every size where it has letters, as that number."""
    if isinstance(number, DimFloat):
        return math.floor(number) if number.expr.is_integral else number
    return int(number) if isinstance(number, float) and number.is_integer() else number


@rule("linspace", "logspace", page="torch.linspace")
def linspace(start: Any, end: Any, steps: int, *_: Any, **__: Any) -> Derived:
    """``steps`` numbers, both ends included; ends may be tensors of one number."""
    for bound in (start, end):
        if isinstance(bound, Operand) and bound.shape:
            raise Violation("rank", "ends of one number", show(bound.shape))
    require(">=", steps, 0, "argument", "steps of at least 0", f"{steps}")
    return Derived((steps,), "out = steps", f"{steps}")


@rule("eye", page="torch.eye")
def eye(n: int, m: Any = None, **_: Any) -> Derived:
    """``(n, m)`` with ones on the diagonal; ``m = n`` where it is not given."""
    return _made((n, n if m is None else m))


@rule("randint", page="torch.randint")
def randint(*args: Any, **named: Any) -> Derived:
    """Whole numbers at random, of the sizes that are asked for."""
    sizes = [one for one in args if isinstance(one, (tuple, list))]
    return _made(named.get("size", sizes[0] if sizes else ()))


@rule("randperm", page="torch.randperm")
def randperm(n: int, **_: Any) -> Derived:
    """The numbers below n in a random order."""
    return _made((n,))


@rule("hann_window", "hamming_window", "blackman_window", "bartlett_window", "kaiser_window", page="torch.hann_window")
def window(window_length: int, *_: Any, **__: Any) -> Derived:
    """A window of so many samples."""
    return _made((window_length,))


@rule("empty_permuted", page="torch.empty_permuted")
def empty_permuted(size: Any, physical_layout: Any, **_: Any) -> Derived:
    """A tensor of the sizes that are asked for, laid out in memory in the order named."""
    if sorted(physical_layout) != list(range(len(size))):
        raise Violation("argument", f"each dim of {show(tuple(size))} named once", f"{tuple(physical_layout)}")
    return _made(size)


@rule("triu_indices", "tril_indices", page="torch.triu_indices")
def triangle_indices(row: int, col: int, offset: int = 0, **_: Any) -> Derived:
    """The places of one triangle: two rows, one column for each place."""
    return Derived((2, COUNTED), "(2, places)", f"{row} x {col}")


@rule("normal", page="torch.normal")
def normal(input: Any = 0.0, *more: Any, **named: Any) -> Derived:
    """Random numbers: of the sizes asked for, or of mean and spread, broadcast; in place, those of the tensor."""
    size = named.get("size", more[1] if len(more) > 1 else None)
    if isinstance(size, (tuple, list)):
        return _made(tuple(size))
    return elementwise(input, *more, *named.values())


@rule("empty_strided", page="torch.empty_strided")
def empty_strided(size: Any, stride: Any, **_: Any) -> Derived:
    """A tensor of the sizes that are asked for."""
    return _made(size)


@rule("new_empty_strided", page="torch.Tensor.new_empty")
def new_empty_strided(input: Operand, size: Any, stride: Any, **_: Any) -> Derived:
    """A tensor of the sizes that are asked for."""
    return _made(size)


def _nested(data: Any) -> tuple[int, ...]:
    """The shape of numbers nested in lists, of a tensor, or of an array."""
    if isinstance(data, Operand):
        return data.shape
    if isinstance(data, (list, tuple, range)):
        return (len(data), *(_nested(data[0]) if len(data) else ()))
    shape = getattr(data, "shape", ())
    return tuple(shape) if isinstance(shape, (tuple, list)) else ()


@rule("tensor", "as_tensor", "asarray", "scalar_tensor", "from_numpy", page="torch.tensor")
def tensor(data: Any = None, *_: Any, **named: Any) -> Derived:
    """A tensor of the numbers that are given, as they are nested."""
    shape = _nested(named.get("obj", data))
    return Derived(shape, "as nested", show(shape))


@rule("new_tensor", page="torch.Tensor.new_tensor")
def new_tensor(input: Operand, data: Any, **_: Any) -> Derived:
    """A tensor of the numbers that are given, as they are nested."""
    shape = _nested(data)
    return Derived(shape, "as nested", show(shape))


@rule("triu", "tril", page="torch.triu")
def triangle(input: Operand, diagonal: int = 0) -> Derived:
    """The upper or lower triangle of each matrix; the rest becomes 0."""
    require_rank(input, tuple(range(2, 64)), "rank", "*,n,m")
    return Derived(input.shape, "out = in", show(input.shape))
