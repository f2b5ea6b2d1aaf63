"""Padding, and cutting into windows that may overlap.

Source: PyTorch's pages of ``pad``, ``Unfold``, ``Fold`` and ``Tensor.unfold``.
"""

from __future__ import annotations

from typing import Any

from shapeproof.dims import Shape, product
from shapeproof.rules.registry import (
    COUNTED,
    Derived,
    Operand,
    Violation,
    axis,
    becomes,
    require,
    require_rank,
    rule,
    show,
)
from shapeproof.rules.window import Window, each_axis, joined


@rule("pad", "constant_pad_nd", page="torch.nn.functional.pad")
def pad(input: Operand, pad: Any, mode: Any = "constant", *_: Any, **__: Any) -> Derived:
    """``size + before + after``, pairs given from the last dimension back."""
    given = tuple(pad)
    if len(given) % 2:
        raise Violation("argument", "pairs of before and after", f"{len(given)} numbers")
    pairs = list(zip(given[::2], given[1::2], strict=True))
    if not isinstance(mode, str):
        mode = "constant"
    if len(pairs) > len(input.shape):
        raise Violation("rank", f"at least {len(pairs)} dimensions to pad", show(input.shape))
    if mode != "constant" and not any(isinstance(amount, Operand) for amount in given):
        _within(input, pairs, mode)
    shape, lines = list(input.shape), []
    if any(isinstance(amount, Operand) for amount in given):
        return becomes(input, _counted(input.shape, pairs), "H + before + after")
    for back, (before, after) in enumerate(pairs, start=1):
        size = shape[-back] + before + after
        cut = shape[-back] + min(before, 0) + min(after, 0)  # what is cut off must be there before anything is added
        require(">=", cut, 0, "argument", "no more cut off than there is", f"{cut}")
        require(">=", size, 0 if mode == "constant" else 1, "argument", "a size of at least 0 after padding", f"{size}")
        lines.append(f"{shape[-back]} + {before} + {after} = {size}")
        shape[-back] = size
    return Derived(tuple(shape), "H + before + after", "; ".join(dict.fromkeys(lines)) or show(input.shape))


def _counted(shape: Shape, pairs: list[tuple[Any, Any]]) -> Shape:
    """The shape where a tensor says how much is added: those sizes are for the values to tell."""
    out = list(shape)
    for back, pair in enumerate(pairs, start=1):
        told = any(isinstance(amount, Operand) for amount in pair)
        out[-back] = COUNTED if told else out[-back] + pair[0] + pair[1]
    return tuple(out)


def _within(input: Operand, pairs: list[tuple[int, int]], mode: str) -> None:
    """What is not constant is taken from the tensor itself: there must be as much of it."""
    rank = len(input.shape)
    if mode not in ("reflect", "replicate", "circular") or rank not in (len(pairs) + 1, len(pairs) + 2):
        words = f"{len(pairs) + 1} or {len(pairs) + 2} dimensions for {len(pairs)} pairs in mode {mode!r}"
        raise Violation("rank", words, show(input.shape))
    if len(pairs) not in (1, 2, 3):
        raise Violation("rank", f"1 to 3 pairs in mode {mode!r}", f"{len(pairs)}")
    for place, size in enumerate(input.shape):
        if place or rank == len(pairs) + 1:
            require(">=", size, 1, "empty", "no empty dimension", show(input.shape))
    for back, (before, after) in enumerate(pairs, start=1):
        size = input.shape[-back]
        for amount in (before, after):
            if mode == "reflect":
                require(">=", size, amount + 1, "padding-size", f"padding below the size {size}", f"{amount}")
            elif mode == "circular":
                require(">=", size, amount, "padding-size", f"padding of at most the size {size}", f"{amount}")


@rule("unfold", "unfold_copy", page="torch.nn.Unfold")
def unfold(input: Operand, *args: Any, **named: Any) -> Derived:
    """Windows as columns, ``(N, C, H, W)`` to ``(N, C k k, L)``; of a tensor along one dim, as a new last dimension."""
    if (len(args) == 3 and "dilation" not in named) or named.keys() & {"dimension", "size", "step"}:
        return _along(input, **dict(zip(("dimension", "size", "step"), args, strict=False)), **named)
    return _columns(input, *args, **named)


def _along(input: Operand, dimension: int, size: int, step: int) -> Derived:
    place = axis(dimension, len(input.shape))
    have = input.shape[place] if input.shape else 1
    require(">=", size, 0, "argument", "a size of at least 0", f"{size}")
    require(">=", step, 1, "argument", "a step of at least 1", f"{step}")
    require(">=", have, size, "kernel-too-large", f"at least {size} elements along dim {place}", f"{have}")
    count = (have - size) // step + 1
    shape = (*input.shape[:place], count, *input.shape[place + 1 :], size) if input.shape else (size,)
    return Derived(shape, "floor((H - size)/step) + 1", f"floor(({have} - {size})/{step}) + 1 = {count}")


def windows_of(
    sizes: Shape, kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> tuple[tuple[int, ...], tuple[Window, ...]]:
    """The kernel and the windows of ``Fold`` and ``Unfold``. Raises :class:`Violation` for arguments out of range."""
    kernels, dilations, pads, strides = (each_axis(v, 2) for v in (kernel_size, dilation, padding, stride))
    if any(v < 1 for v in (*kernels, *dilations, *strides)) or any(p < 0 for p in pads):
        raise Violation("argument", "kernel, dilation and stride of at least 1", f"{kernels}, {dilations}, {strides}")
    rows = zip(sizes, kernels, strides, pads, dilations, strict=True)
    windows = tuple(Window(*row) for row in rows)
    for window in windows:
        words = f"at least {window.span} elements, padding included"
        got = f"{window.size_in + 2 * window.padding}"
        require(">=", window.size_in + 2 * window.padding, window.span, "kernel-too-large", words, got)
    return kernels, windows


def _columns(input: Operand, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Derived:
    require_rank(input, (3, 4), "rank", "N,C,H,W")
    for size in input.shape[-3:]:
        require(">=", size, 1, "empty", "no empty dimension", show(input.shape))
    kernels, windows = windows_of(input.shape[-2:], kernel_size, dilation, padding, stride)
    blocks = product(window.size_out for window in windows)
    shape = (*input.shape[:-3], input.shape[-3] * product(kernels), blocks)
    line = f"{joined(windows)}; C * {' * '.join(map(str, kernels))} = {shape[-2]}, L = {blocks}"
    return Derived(shape, "(N, C, H, W) -> (N, C k k, L)", line)


@rule("fold", page="torch.nn.Fold")
def fold(
    input: Operand, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Derived:
    """Columns back to where they stood, added where they overlap: ``(N, C k k, L)`` to ``(N, C, H, W)``."""
    require_rank(input, (2, 3), "rank", "N,C k k,L")
    sizes = each_axis(output_size, 2)
    kernels, windows = windows_of(sizes, kernel_size, dilation, padding, stride)
    for size in input.shape[-2:]:
        require(">=", size, 1, "empty", "no empty dimension", show(input.shape))
    cells, blocks = product(kernels), product(window.size_out for window in windows)
    rows = input.shape[-2]
    require("mod", rows, cells, "in-channels", f"rows a multiple of {cells}", f"{rows}")
    require("==", input.shape[-1], blocks, "fold", f"L = {blocks} columns for {show(sizes)}", f"{input.shape[-1]}")
    shape = (*input.shape[:-2], rows // cells, *sizes)
    return becomes(input, shape, "(N, C k k, L) -> (N, C, H, W)")
