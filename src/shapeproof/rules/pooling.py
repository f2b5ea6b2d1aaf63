"""Pooling: the same window as convolution, channels untouched; adaptive pooling gives the size that is asked for."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from shapeproof.rules.registry import Derived, Operand, Violation, require, require_rank, require_shape, rule, show
from shapeproof.rules.window import along, dropped_note, each_axis, joined

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
    windows = along(rows, ceil_mode=bool(ceil_mode))
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


def _adaptive(input: Operand, count: int, output_size: Any, filled: tuple[int, ...]) -> Derived:
    """The size that is asked for; ``filled`` are the sizes of which none may be 0."""
    wanted = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * count
    if len(wanted) != count:
        raise Violation("argument", f"{count} output sizes", f"{tuple(wanted)}")
    for want in wanted:
        if want is not None:
            require(">=", want, 0, "argument", "output sizes of at least 0", f"{tuple(wanted)}")
    for size in filled:
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
        mean = all(size == 1 for size in sizes)  # PyTorch then takes a mean over the last axes, of nothing too
        if count > 1 and mean:  # and whatever stands before them
            ranks = tuple(range(count + (1 if sizes is output_size else 0), 64))
        require_rank(input, ranks, "rank", layout)
        filled = () if mean else input.shape[-count:] if count < 3 else input.shape[1:]
        return _adaptive(input, count, output_size, filled)

    def adaptive_max_pool(input: Operand, output_size: Any, return_indices: bool = False) -> Derived:
        """The windows are made to fit, so that the size asked for comes out; ``None`` keeps that axis."""
        require_rank(input, (count + 1, count + 2), "rank", layout)
        found = _adaptive(input, count, output_size, input.shape[1:])
        return replace(found, shape=(found.shape, found.shape)) if return_indices else found

    rule(f"adaptive_avg_pool{count}d", page=f"torch.nn.AdaptiveAvgPool{count}d")(adaptive_avg_pool)
    rule(f"adaptive_max_pool{count}d", page=f"torch.nn.AdaptiveMaxPool{count}d")(adaptive_max_pool)


def _register_lp(count: int) -> None:
    def lp_pool(
        input: Operand, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> Derived:
        """``(sum x^p)^(1/p)`` under each window."""
        found = _pool(input, count, kernel_size, stride, 0, 1, ceil_mode)
        for window in found.windows if count == 3 else ():
            needs = f"at least {window.kernel_size} elements"
            require(">=", window.size_in, window.kernel_size, "kernel-too-large", needs, f"{window.size_in}")
        return found

    rule(f"lp_pool{count}d", page=f"torch.nn.LPPool{count}d")(lp_pool)


def _register_fractional(count: int) -> None:
    def fractional_max_pool(
        input: Operand, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
        return_indices: bool = False, **_: Any,
    ) -> Derived:  # fmt: skip
        """Windows at random places: the size asked for, or ``floor(H * ratio)``."""
        require_rank(input, (count + 1, count + 2), "rank", _LAYOUT[count])
        kernels, sizes = each_axis(kernel_size, count), input.shape[-count:]
        if output_size is not None:
            wanted: Any = each_axis(output_size, count)
        else:
            ratios = output_ratio
            if not isinstance(ratios, (tuple, list)) or len(ratios) != count:
                raise Violation("argument", f"{count} ratios", f"{ratios}")
            wanted = [math.floor(size * ratio) for size, ratio in zip(sizes, ratios, strict=True)]
        for size, k, out in zip(sizes, kernels, wanted, strict=True):
            require(
                ">=",
                size + 1,
                out + k + (count == 3),
                "kernel-too-large",
                f"at least {out} + {k} - 1 elements",
                f"{size}",
            )
        shape = (*input.shape[:-count], *wanted)
        found = Derived(shape, "out = output_size", f"{show(sizes)} -> {show(tuple(wanted))}")
        return replace(found, shape=(shape, shape)) if return_indices else found

    rule(f"fractional_max_pool{count}d", page=f"torch.nn.FractionalMaxPool{count}d")(fractional_max_pool)


def _register_unpool(count: int) -> None:
    def max_unpool(
        input: Operand, indices: Operand, kernel_size: Any, stride: Any = None, padding: Any = 0,
        output_size: Any = None,
    ) -> Derived:  # fmt: skip
        """``(H - 1)s - 2p + k``, or the size asked for where it is within one stride of that."""
        require_rank(input, (count + 1, count + 2), "rank", _LAYOUT[count])
        require_rank(indices, (len(input.shape),), "rank", _LAYOUT[count])
        require_shape(indices.shape, input.shape, "broadcast", f"indices of shape {show(input.shape)}")
        kernels = each_axis(kernel_size, count)
        strides = kernels if stride is None else each_axis(stride, count)
        rows = list(zip(input.shape[-count:], strides, each_axis(padding, count), kernels, strict=True))
        sizes = tuple((h - 1) * s - 2 * p + k for h, s, p, k in rows)
        if output_size is not None:
            wanted = tuple(output_size)[-count:]
            for size, out, s in zip(sizes, wanted, strides, strict=True):
                require(">=", out, size - s + 1, "argument", f"a size within {s} of {size}", f"{out}")
                require(">=", size + s - 1, out, "argument", f"a size within {s} of {size}", f"{out}")
            sizes = wanted
        line = "; ".join(dict.fromkeys(f"({h} - 1)*{s} - 2*{p} + {k}" for h, s, p, k in rows)) + f" -> {show(sizes)}"
        return Derived((*input.shape[:-count], *sizes), "(H - 1)s - 2p + k", line)

    rule(f"max_unpool{count}d", page=f"torch.nn.MaxUnpool{count}d")(max_unpool)


for _count in (1, 2, 3):
    _register_max(_count)
    _register_average(_count)
    _register_adaptive(_count)
    _register_lp(_count)
    _register_unpool(_count)
for _count in (2, 3):
    _register_fractional(_count)
