"""Operations that join tensors or take them apart."""

from __future__ import annotations

from collections.abc import Sequence

from shapeproof.dims import Shape
from shapeproof.dims.conditions import decide
from shapeproof.rules.registry import Derived, Operand, Violation, axis, require, require_shape, rule, show


@rule("cat", "concat", "concatenate", page="torch.cat")
def cat(tensors: Sequence[Operand], dim: int = 0) -> Derived:
    """Sizes add up along ``dim`` and must be equal elsewhere. An empty one-dimensional tensor is passed over."""
    lists = all(len(operand.shape) == 1 for operand in tensors)
    joined = [operand.shape for operand in tensors if lists or not _passed_over(operand.shape)]
    if not tensors:
        raise Violation("concat", "at least one tensor", "none")
    if not joined:
        return Derived(tensors[0].shape, "sum along dim", show(tensors[0].shape))
    first = joined[0]
    if not first:
        raise Violation("concat", "tensors of at least 1 dimension", "()")
    place = axis(dim, len(first))
    for shape in joined[1:]:
        both = f"{show(first)} and {show(shape)}"
        if len(shape) != len(first):
            raise Violation("concat", "equal numbers of dimensions", both)
        for other, (a, b) in enumerate(zip(first, shape, strict=True)):
            if other != place:
                require("==", b, a, "concat", f"equal sizes but in dim {place}", both)
    total = sum((shape[place] for shape in joined[1:]), first[place])
    line = f"{' + '.join(str(shape[place]) for shape in joined)} = {total}"
    return Derived((*first[:place], total, *first[place + 1 :]), "sum along dim", line)


def _passed_over(shape: Shape) -> bool:
    return len(shape) == 1 and decide("==", shape[0], 0)


@rule("stack", page="torch.stack")
def stack(tensors: Sequence[Operand], dim: int = 0) -> Derived:
    """Tensors of one shape, side by side along a new dimension."""
    if not tensors:
        raise Violation("concat", "at least one tensor", "none")
    first = tensors[0].shape
    place = axis(dim, len(first) + 1)
    for operand in tensors[1:]:
        require_shape(operand.shape, first, "concat", f"every tensor of shape {show(first)}")
    shape = (*first[:place], len(tensors), *first[place:])
    return Derived(shape, "insert the count", f"{len(tensors)} x {show(first)} -> {show(shape)}")
