"""Convolutions: ``(N, C_in, *)`` with ``(C_out, C_in/groups, *kernel)`` to ``(N, C_out, *)``."""

from __future__ import annotations

from typing import Any

from shapeproof.dims import product
from shapeproof.dims.conditions import decide
from shapeproof.rules.registry import Derived, Operand, Unsupported, Violation, require, require_rank, rule, show
from shapeproof.rules.window import Row, Window, along, dropped_note, each_axis, joined

_LAYOUT = {1: "N,C,L", 2: "N,C,H,W", 3: "N,C,D,H,W"}


def _padded(padding: Any, weight: Operand, stride: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[int, ...]:
    """The padding as numbers, in total for both ends; ``"same"`` keeps the size and needs stride 1."""
    count = len(weight.shape) - 2
    if padding == "valid":
        return (0,) * count
    if padding == "same":
        if any(s != 1 for s in stride):
            raise Violation("same-stride", "stride 1 with padding='same'", f"stride {show(stride)}")
        return tuple(d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True))
    return tuple(2 * p for p in each_axis(padding, count))


def _check_channels(input: Operand, weight: Operand, groups: int) -> None:
    channels = input.shape[-(len(weight.shape) - 1)]
    needed = weight.shape[1] * groups
    share = f" ({weight.shape[1]} in each of {groups} groups)" if groups > 1 else ""
    require("==", channels, needed, "in-channels", f"{needed} input channels{share}", f"{channels}")
    require(
        "mod",
        weight.shape[0],
        groups,
        "groups",
        f"out_channels a multiple of groups={groups}",
        f"{weight.shape[0]}",
    )


def _axis(size: int, kernel: int, stride: int, total_padding: int, dilation: int) -> Row:
    """A window's values; an odd total (padding='same', even kernel) is written as a longer axis without padding."""
    if total_padding % 2:
        return size + total_padding, kernel, stride, 0, dilation
    return size, kernel, stride, total_padding // 2, dilation


@rule("conv1d", "conv2d", "conv3d", page="torch.nn.Conv2d")
def conv(
    input: Operand,
    weight: Operand,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Derived:
    """One output position for each place of the kernel: ``floor((H + 2p - d(k - 1) - 1)/s) + 1`` along each axis."""
    count = len(weight.shape) - 2
    code = "missing-batch" if len(input.shape) == count else "rank"
    require_rank(input, (count + 1, count + 2), code, _LAYOUT[count])
    strides, dilations = each_axis(stride, count), each_axis(dilation, count)
    if groups < 1 or any(v < 1 for v in (*strides, *dilations)):
        raise Violation("argument", "stride, dilation and groups of at least 1", f"{show(strides)}, {groups}")
    _check_channels(input, weight, groups)
    if bias is not None:
        require("==", bias.shape[0], weight.shape[0], "bias", f"a bias of {weight.shape[0]}", f"{bias.shape[0]}")
    pads = _padded(padding, weight, strides, dilations)
    if any(p < 0 for p in pads):
        raise Violation("argument", "padding of at least 0", f"{padding}")
    _check_filled(input, weight, groups, pads)
    rows = zip(input.shape[-count:], weight.shape[2:], strides, pads, dilations, strict=True)
    windows = along(_axis(*row) for row in rows)
    _check_fits(windows)
    out = tuple(window.size_out for window in windows)
    shape = (*input.shape[: -count - 1], weight.shape[0], *out)
    macs = product(shape) * product(weight.shape[1:])
    formula = windows[0].formula.text()
    return Derived(shape, formula, joined(windows), macs, windows, dropped_note(windows))


def _check_filled(input: Operand, weight: Operand, groups: int, pads: tuple[int, ...]) -> None:
    """Of what may be empty PyTorch's kernels take a batch; padding does not make up for an empty axis."""
    require(">=", weight.shape[0], groups, "groups", f"out_channels of at least groups={groups}", f"{weight.shape[0]}")
    if 0 in map(int, weight.shape[:2]):
        raise Unsupported  # without channels PyTorch answers with another number of them than the weights have
    for kernel in weight.shape[2:]:
        require(">=", kernel, 1, "argument", "a kernel of at least 1", show(weight.shape))
    axes = input.shape[-len(pads) :]
    if len(input.shape) == len(weight.shape) and any(pads) and decide("==", input.shape[0], 0):
        return
    for size, pad in zip(axes, pads, strict=True):
        if pad:  # without padding the kernel needs more than that
            require(">=", size, 1, "empty", "no empty dimension", show(input.shape))


def _check_fits(windows: tuple[Window, ...]) -> None:
    for window in windows:
        padded = window.size_in + 2 * window.padding
        needs = f"at least {window.span} elements for a kernel of {window.kernel_size}"
        if window.dilation > 1:
            needs += f" with dilation {window.dilation}"
        require(">=", padded, window.span, "kernel-too-large", needs, f"{padded} (padding included)")
