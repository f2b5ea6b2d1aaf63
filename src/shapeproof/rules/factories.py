"""Operations that make a tensor from sizes or numbers, and those that keep a part of a matrix."""

from __future__ import annotations

from typing import Any

from shapeproof.rules.registry import Derived, Operand, Unsupported, Violation, require_rank, rule, shape_args, show

_SIZED = ("zeros", "ones", "empty", "rand", "randn")


def _made(sizes: Any) -> Derived:
    shape = tuple(sizes)
    if not all(isinstance(size, int) for size in shape):
        raise Unsupported
    if any(size < 0 for size in shape):
        raise Violation("argument", "sizes of at least 0", show(shape))
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
        end = args[0]
    elif args:
        start, end, step = (*args, step)[:3]
    if not all(isinstance(number, int) for number in (start, end, step)):
        raise Unsupported  # rounding decides there
    if int(step) == 0 or (int(end) - int(start)) * int(step) < 0:
        raise Violation("argument", "a step that leads from start to end", f"{start}, {end}, {step}")
    count = -((start - end) // step)
    return Derived((count,), "ceil((end - start)/step)", f"ceil(({end} - {start})/{step}) = {count}")


@rule("triu", "tril", page="torch.triu")
def triangle(input: Operand, diagonal: int = 0) -> Derived:
    """The upper or lower triangle of each matrix; the rest becomes 0."""
    require_rank(input, tuple(range(2, 64)), "rank", "*,n,m")
    return Derived(input.shape, "out = in", show(input.shape))
