"""Reductions: the named dimensions go, or become 1 with ``keepdim``."""

from __future__ import annotations

from typing import Any

from shapeproof.dims import Shape
from shapeproof.rules.registry import Derived, Operand, axes, rule, show


def reduced(shape: Shape, dim: Any, keepdim: bool) -> Shape:
    """The shape without the named dimensions, or with 1 in their places."""
    gone = axes(dim, len(shape))
    if keepdim:
        return tuple(1 if place in gone else size for place, size in enumerate(shape))
    return tuple(size for place, size in enumerate(shape) if place not in gone)


@rule("mean", "sum", "amax", "amin", "prod", "any", "all", "logsumexp", page="torch.mean")
def reduce(input: Operand, dim: Any = None, keepdim: bool = False, **_: Any) -> Derived:
    """Drop the dimensions that are reduced; all of them where none is named."""
    shape = reduced(input.shape, dim, keepdim)
    return Derived(shape, "drop dim" if not keepdim else "dim -> 1", f"{show(input.shape)} -> {show(shape)}")


@rule("argmax", "argmin", page="torch.argmax")
def index_of(input: Operand, dim: Any = None, keepdim: bool = False) -> Derived:
    """The place of the extreme along one dimension, or in the whole tensor."""
    shape = reduced(input.shape, dim, keepdim) if dim is not None or keepdim else ()
    return Derived(shape, "drop dim", f"{show(input.shape)} -> {show(shape)}")
