"""Transposed convolution, and shuffling between channels and pixels.

Source: PyTorch's pages of ``ConvTranspose2d``, ``PixelShuffle`` and ``ChannelShuffle``.
"""

from __future__ import annotations

from typing import Any

from shapeproof.dims import exact_div, product
from shapeproof.dims.conditions import decide
from shapeproof.rules.registry import (
    Derived,
    Operand,
    Unsupported,
    Violation,
    require,
    require_rank,
    rule,
    show,
    unchanged,
)
from shapeproof.rules.window import TRANSPOSED, Transposed, each_axis

_LAYOUT = {1: "N,C,L", 2: "N,C,H,W", 3: "N,C,D,H,W"}


@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d", page="torch.nn.ConvTranspose2d")
def conv_transpose(
    input: Operand, weight: Operand, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
    groups: int = 1, dilation: Any = 1,
) -> Derived:  # fmt: skip
    """``(H - 1)s - 2p + d(k - 1) + output_padding + 1`` along each axis; a MAC for each input element and weight."""
    count = len(weight.shape) - 2
    require_rank(input, (count + 1, count + 2), "rank", _LAYOUT[count])
    channels = input.shape[-count - 1]
    require("==", channels, weight.shape[0], "in-channels", f"{weight.shape[0]} input channels", f"{channels}")
    require("mod", channels, groups, "groups", f"in_channels a multiple of groups={groups}", f"{channels}")
    if 0 in map(int, (*weight.shape, input.shape[0])):
        raise Unsupported  # what PyTorch takes of nothing depends on the kernel that it chooses
    for size in input.shape[-count:]:
        require(">=", size, 1, "empty", "no empty dimension", show(input.shape))
    given = [each_axis(v, count) for v in (stride, padding, dilation, output_padding)]
    out, lines = [], []
    for h, k, s, p, d, extra in zip(input.shape[-count:], weight.shape[2:], *given, strict=True):
        if extra and extra >= max(s, d):
            raise Violation("argument", "output_padding below stride or dilation", f"{extra}")
        window = Transposed(h, k, s, p, d, extra)
        size = window.size_out
        if decide("==", size, 0):
            raise Unsupported  # whether PyTorch refuses an empty output depends on the kernel that it chooses
        require(">=", size, 1, "kernel-too-large", "an output of at least 1", f"{size}")
        out.append(size)
        lines.append(window.arithmetic)
    shape = (*input.shape[: -count - 1], weight.shape[1] * groups, *out)
    macs = product(input.shape) * product(weight.shape[1:])
    return Derived(shape, TRANSPOSED.text(), "; ".join(dict.fromkeys(lines)), macs)


@rule("pixel_shuffle", page="torch.nn.PixelShuffle")
def pixel_shuffle(input: Operand, upscale_factor: int) -> Derived:
    """``(*, C r r, H, W)`` to ``(*, C, H r, W r)``."""
    require_rank(input, tuple(range(3, 64)), "rank", "*,C,H,W")
    *lead, c, h, w = input.shape
    r = upscale_factor
    require(">=", r, 1, "argument", "a factor of at least 1", f"{r}")
    require("mod", c, r * r, "groups", f"channels a multiple of {r * r}", f"{c}")
    shape = (*lead, exact_div(c, r * r), h * r, w * r)
    return Derived(shape, "(*, C r r, H, W) -> (*, C, H r, W r)", f"{show(input.shape)} -> {show(shape)}")


@rule("pixel_unshuffle", page="torch.nn.PixelUnshuffle")
def pixel_unshuffle(input: Operand, downscale_factor: int) -> Derived:
    """``(*, C, H r, W r)`` to ``(*, C r r, H, W)``."""
    require_rank(input, tuple(range(3, 64)), "rank", "*,C,H,W")
    *lead, c, h, w = input.shape
    r = downscale_factor
    require(">=", r, 1, "argument", "a factor of at least 1", f"{r}")
    for size in (h, w):
        require("mod", size, r, "pixel-unshuffle", f"height and width multiples of {r}", f"{size}")
    shape = (*lead, c * r * r, exact_div(h, r), exact_div(w, r))
    return Derived(shape, "(*, C, H r, W r) -> (*, C r r, H, W)", f"{show(input.shape)} -> {show(shape)}")


@rule("channel_shuffle", "native_channel_shuffle", page="torch.nn.ChannelShuffle")
def channel_shuffle(input: Operand, groups: int) -> Derived:
    """Channels in another order; the shape stays."""
    require_rank(input, tuple(range(3, 64)), "rank", "N,C,*")
    require(">=", groups, 1, "argument", "at least 1 group", f"{groups}")
    require("mod", input.shape[1], groups, "groups", f"channels a multiple of {groups}", f"{input.shape[1]}")
    return unchanged(input)
