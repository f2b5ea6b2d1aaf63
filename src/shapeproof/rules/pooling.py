"""Pooling: the same window as convolution, channels untouched; adaptive pooling gives the size that is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shapeproof.rules.registry import Derived, Operand, Violation, require, require_rank, rule, show
from shapeproof.rules.window import Window, dropped_note, each_axis, joined

_LAYOUT = {1: "N,C,L", 2: "N,C,H,W", 3: "N,C,D,H,W"}


def _pool(
    input: Operand, count: int, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Derived:
    require_rank(input, (count + 1, count + 2), "rank", _LAYOUT[count])
    kernels = each_axis(kernel, count)
    strides = kernels if stride is None or stride == () or stride == [] else each_axis(stride, count)
    pads, dilations = each_axis(padding, count), each_axis(dilation, count)
    if any(v < 1 for v in (*kernels, *strides, *dilations)) or any(p < 0 for p in pads):
        raise Violation("argument", "kernel, stride and dilation of at least 1", f"{show(kernels)}, {show(strides)}")
    for k, p in zip(kernels, pads, strict=True):
        if 2 * p > k:  # of the kernel itself, whatever its dilation
            raise Violation("argument", "padding of at most half the kernel", f"padding {p}, kernel {k}")
    rows = zip(input.shape[-count:], kernels, strides, pads, dilations, strict=True)
    windows = tuple(Window(*row, ceil_mode=bool(ceil_mode)) for row in rows)
    for window in windows:
        got = f"{window.size_in} (padding {window.padding})"
        require(">=", window.size_out, 1, "kernel-too-large", f"room for one window of {window.span}", got)
    for size in input.shape[-count - 1 :]:
        require(">=", size, 1, "empty", "no empty dimension", show(input.shape))
    shape = (*input.shape[:-count], *(window.size_out for window in windows))
    return Derived(shape, windows[0].formula.text(), joined(windows), 0, windows, dropped_note(windows))


def _register_max(count: int) -> None:
    def max_pool(
        input: Operand, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        ceil_mode: bool = False, return_indices: bool = False,
    ) -> Derived:  # fmt: skip
        """The largest element under each window."""
        found = _pool(input, count, kernel_size, stride, padding, dilation, ceil_mode)
        return replace(found, shape=(found.shape, found.shape)) if return_indices else found

    rule(f"max_pool{count}d", page=f"torch.nn.MaxPool{count}d")(max_pool)


def _register_average(count: int) -> None:
    def avg_pool(
        input: Operand,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        *_: Any,
        **__: Any,
    ) -> Derived:
        """The mean of the elements under each window."""
        found = _pool(input, count, kernel_size, stride, padding, 1, ceil_mode)
        for window in found.windows if count == 3 else ():
            # in three dimensions PyTorch wants the kernel to fit without the padding
            needs = f"at least {window.kernel_size} elements without padding"
            require(">=", window.size_in, window.kernel_size, "kernel-too-large", needs, f"{window.size_in}")
        return found

    rule(f"avg_pool{count}d", page=f"torch.nn.AvgPool{count}d")(avg_pool)


def _adaptive(input: Operand, count: int, output_size: Any) -> Derived:
    wanted = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * count
    for size in input.shape[-count:]:
        require(">=", size, 1, "empty", "no empty dimension", show(input.shape))
    sizes = [have if want is None else want for have, want in zip(input.shape[-count:], wanted, strict=True)]
    shape = (*input.shape[:-count], *sizes)
    return Derived(shape, "out = output_size", f"{show(input.shape[-count:])} -> {show(tuple(sizes))}")


def _register_adaptive(count: int) -> None:
    layout = _LAYOUT[count]

    def adaptive_avg_pool(input: Operand, output_size: Any) -> Derived:
        """The windows are made to fit, so that the size asked for comes out; ``None`` keeps that axis."""
        sizes = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * count
        ranks: tuple[int, ...] = (count + 1, count + 2)
        if count > 1 and all(size == 1 for size in sizes):
            # PyTorch then takes a mean over the last axes, whatever stands before them
            ranks = tuple(range(count + (1 if sizes is output_size else 0), 64))
        require_rank(input, ranks, "rank", layout)
        return _adaptive(input, count, output_size)

    def adaptive_max_pool(input: Operand, output_size: Any, return_indices: bool = False) -> Derived:
        """The windows are made to fit, so that the size asked for comes out; ``None`` keeps that axis."""
        require_rank(input, (count + 1, count + 2), "rank", layout)
        found = _adaptive(input, count, output_size)
        return replace(found, shape=(found.shape, found.shape)) if return_indices else found

    rule(f"adaptive_avg_pool{count}d", page=f"torch.nn.AdaptiveAvgPool{count}d")(adaptive_avg_pool)
    rule(f"adaptive_max_pool{count}d", page=f"torch.nn.AdaptiveMaxPool{count}d")(adaptive_max_pool)


for _count in (1, 2, 3):
    _register_max(_count)
    _register_average(_count)
    _register_adaptive(_count)
