"""Reading a picture between its pixels: ``grid_sample``, ``affine_grid``, ``interpolate``.

Source: PyTorch's pages of those functions.
"""

from __future__ import annotations

import math
from typing import Any

from shapeproof.rules.registry import (
    Counted,
    Derived,
    Operand,
    Violation,
    require,
    require_shape,
    rule,
    shape_args,
    show,
)

_RANKS = {
    "nearest": (1, 2, 3), "nearest-exact": (1, 2, 3), "area": (1, 2, 3), "linear": (1,), "bilinear": (2,),
    "bicubic": (2,), "trilinear": (3,), "lanczos": (2,),
}  # fmt: skip


def _one_each(value: Any, count: int, what: str) -> tuple[Any, ...]:
    """One value for each spatial axis. Raises :class:`Violation` for another number of them."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * count
    if len(values) != count:
        raise Violation("rank", f"{count} values of {what}", f"{len(values)}")
    return values


@rule("interpolate", "upsample", page="torch.nn.functional.interpolate")
def interpolate(
    input: Operand, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: Any = None,
    recompute_scale_factor: Any = None, antialias: bool = False,
) -> Derived:  # fmt: skip
    """The size that is asked for, or ``floor(size * scale_factor)``."""
    count = len(input.shape) - 2
    _check_mode(count, mode, align_corners, antialias, input)
    if (size is None) == (scale_factor is None):
        raise Violation("argument", "either size or scale_factor", f"{size} and {scale_factor}")
    if recompute_scale_factor and size is not None:
        raise Violation("argument", "no recompute_scale_factor with size", f"{size}")
    old = input.shape[2:]
    if size is not None:
        new = shape_args((_one_each(size, count, "size"),))
        line = f"{show(old)} -> {show(new)}"
        formula = "out = size"
    else:
        factors = _one_each(scale_factor, count, "scale_factor")
        new = tuple(math.floor(h * f) for h, f in zip(old, factors, strict=True))
        line = "; ".join(dict.fromkeys(f"floor({h} * {f}) = {n}" for h, f, n in zip(old, factors, new, strict=True)))
        formula = "floor(H * scale_factor)"
    for have, want in zip(old, new, strict=True):
        require(">=", have, 1, "empty", "no empty spatial axis", show(input.shape))
        if not isinstance(want, Counted):
            require(">=", want, 0 if mode == "area" else 1, "argument", "an output of at least 1", show(new))
    return Derived((*input.shape[:2], *new), formula, line)


def _check_mode(count: int, mode: str, align_corners: Any, antialias: bool, input: Operand) -> None:
    if count not in _RANKS.get(mode, ()):
        ranks = " or ".join(str(rank + 2) for rank in _RANKS.get(mode, ()))
        raise Violation("rank", f"{ranks or 'a known mode and 3 to 5'} dimensions for mode {mode!r}", show(input.shape))
    if align_corners is not None and mode in ("nearest", "area", "nearest-exact"):
        raise Violation("argument", f"no align_corners with mode {mode!r}", f"{align_corners}")
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and count == 2):
        raise Violation("argument", "antialias with mode bilinear or bicubic only", mode)
    if count != 3 or mode == "area":
        # the number of pictures may be 0, that of channels may not
        require(">=", input.shape[1], 1, "empty", "at least 1 channel", show(input.shape))


@rule("grid_sample", "grid_sampler", "grid_sampler_2d", "grid_sampler_3d", page="torch.nn.functional.grid_sample")
def grid_sample(input: Operand, grid: Operand, mode: Any = "bilinear", *_: Any, **__: Any) -> Derived:
    """``(N, C, H, W)`` read at ``(N, Ho, Wo, 2)`` places gives ``(N, C, Ho, Wo)``."""
    rank = len(input.shape)
    if rank not in (4, 5) or len(grid.shape) != rank:
        raise Violation(
            "rank", "an input and a grid of 4 or of 5 dimensions", f"{show(input.shape)}, {show(grid.shape)}"
        )
    if mode == "bicubic" and rank == 5:
        raise Violation("rank", "4 dimensions for mode 'bicubic'", show(input.shape))
    both = f"{show(input.shape)} and {show(grid.shape)}"
    require("==", grid.shape[0], input.shape[0], "broadcast", "equal batches", both)
    require("==", grid.shape[-1], rank - 2, "grid", f"{rank - 2} coordinates in the grid's last dimension", both)
    for size in input.shape[2:]:
        require(">=", size, 1, "empty", "no empty spatial axis", show(input.shape))
    shape = (*input.shape[:2], *grid.shape[1:-1])
    return Derived(shape, "(N, C, H, W), (N, Ho, Wo, 2) -> (N, C, Ho, Wo)", f"{both} -> {show(shape)}")


@rule("affine_grid", page="torch.nn.functional.affine_grid")
def affine_grid(theta: Operand, size: Any, align_corners: Any = None) -> Derived:
    """``(N, 2, 3)`` and a size ``(N, C, H, W)`` to places ``(N, H, W, 2)``; with 3 axes ``(N, 3, 4)``."""
    axes = len(size) - 2
    if axes not in (2, 3):
        raise Violation("rank", "a size of 4 or 5 numbers", show(tuple(size)))
    wanted = (axes, axes + 1)
    if len(theta.shape) != 3:
        raise Violation("rank", f"a theta of shape (N, {axes}, {axes + 1})", show(theta.shape))
    words = f"a theta of shape (N, {axes}, {axes + 1})"
    require_shape(theta.shape[1:], wanted, "grid", words, show(theta.shape))
    require("==", theta.shape[0], size[0], "broadcast", "equal batches", f"{show(theta.shape)}, {show(tuple(size))}")
    for one in size:
        require(">=", one, 1, "argument", "sizes of at least 1", show(tuple(size)))
    shape = (size[0], *size[2:], axes)
    return Derived(shape, "(N, 2, 3) -> (N, H, W, 2)", f"{show(theta.shape)} -> {show(shape)}")
