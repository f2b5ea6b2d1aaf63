"""Linear layers and products of matrices."""

from __future__ import annotations

from typing import Any

from shapeproof.dims import product
from shapeproof.rules.elementwise import broadcast
from shapeproof.rules.registry import Derived, Operand, Violation, require, rule, show


@rule("linear", page="torch.nn.Linear")
def linear(input: Operand, weight: Operand, bias: Any = None) -> Derived:
    """``(*, in_features)`` to ``(*, out_features)``: the last size must be ``in_features``."""
    if not input.shape:
        raise Violation("rank", "at least 1 dimension (*, in_features)", "0: ()")
    needed, has = weight.shape[-1], input.shape[-1]
    require(
        "==",
        has,
        needed,
        "in-features",
        f"in_features = {needed}",
        f"{has} (the last size of {show(input.shape)})",
    )
    shape = (*input.shape[:-1], *weight.shape[:-1])
    if bias is not None:
        broadcast([bias.shape, shape], "bias")
    line = f"needs {needed}, has {has}"
    return Derived(shape, "(*, in_features) -> (*, out_features)", line, product(shape) * needed)


@rule("matmul", "linalg_matmul", page="torch.matmul")
def matmul(input: Operand, other: Operand) -> Derived:
    """``(*, n, m) @ (*, m, p)`` to ``(*, n, p)``; leading sizes broadcast; a vector loses its place."""
    for operand in (input, other):
        if not operand.shape:
            raise Violation("matmul", "at least 1 dimension on each side", "0: ()")
    a = input.shape if len(input.shape) > 1 else (1, *input.shape)
    b = other.shape if len(other.shape) > 1 else (*other.shape, 1)
    both = f"{show(input.shape)} @ {show(other.shape)}"
    require("==", a[-1], b[-2], "matmul", f"inner sizes equal in {both}", f"{a[-1]} and {b[-2]}")
    batch = broadcast([a[:-2], b[:-2]], "matmul")
    rows = (a[-2],) if len(input.shape) > 1 else ()
    columns = (b[-1],) if len(other.shape) > 1 else ()
    shape = (*batch, *rows, *columns)
    macs = product((*batch, a[-2], b[-1])) * a[-1]
    return Derived(shape, "(*, n, m) @ (*, m, p) -> (*, n, p)", f"{both} -> {show(shape)}", macs)
