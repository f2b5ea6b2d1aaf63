"""Operations that make spatial axes longer: transposed convolution, interpolation, shuffling of pixels.

Source: PyTorch's pages of ``ConvTranspose2d``, ``interpolate`` and ``PixelShuffle``.
"""

from __future__ import annotations

import math
from typing import Any

from shapeproof.dims import exact_div, product
from shapeproof.rules.registry import Derived, Operand, Unsupported, Violation, require, require_rank, rule, show
from shapeproof.rules.window import each_axis

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
    given = [each_axis(v, count) for v in (stride, padding, dilation, output_padding)]
    out, lines = [], []
    for h, k, s, p, d, extra in zip(input.shape[-count:], weight.shape[2:], *given, strict=True):
        if extra and extra >= max(s, d):
            raise Violation("argument", "output_padding below stride or dilation", f"{extra}")
        size = (h - 1) * s - 2 * p + d * (k - 1) + extra + 1
        if int(size) == 0:
            raise Unsupported  # whether PyTorch refuses an empty output depends on the kernel that it chooses
        require(">=", size, 1, "kernel-too-large", "an output of at least 1", f"{size}")
        out.append(size)
        lines.append(f"({h} - 1)*{s} - 2*{p} + {d}*({k} - 1) + {extra} + 1 = {size}")
    shape = (*input.shape[: -count - 1], weight.shape[1] * groups, *out)
    macs = product(input.shape) * product(weight.shape[1:])
    formula = "(H - 1)s - 2p + d(k - 1) + output_padding + 1"
    return Derived(shape, formula, "; ".join(dict.fromkeys(lines)), macs)


@rule("interpolate", page="torch.nn.functional.interpolate")
def interpolate(input: Operand, size: Any = None, scale_factor: Any = None, *_: Any, **__: Any) -> Derived:
    """The size that is asked for, or ``floor(size * scale_factor)``."""
    count = len(input.shape) - 2
    if count not in (1, 2, 3) or (size is None) == (scale_factor is None):
        raise Unsupported
    wanted = each_axis(size if size is not None else scale_factor, count)
    old = input.shape[2:]
    new = wanted if size is not None else [math.floor(h * f) for h, f in zip(old, wanted, strict=True)]
    shape = (*input.shape[:2], *new)
    return Derived(shape, "floor(H * scale_factor)", f"{show(old)} -> {show(tuple(new))}")


@rule("pixel_shuffle", page="torch.nn.PixelShuffle")
def pixel_shuffle(input: Operand, upscale_factor: int) -> Derived:
    """``(*, C r r, H, W)`` to ``(*, C, H r, W r)``."""
    require_rank(input, tuple(range(3, 64)), "rank", "*,C,H,W")
    *lead, c, h, w = input.shape
    r = upscale_factor
    require("mod", c, r * r, "groups", f"channels a multiple of {r * r}", f"{c}")
    shape = (*lead, exact_div(c, r * r), h * r, w * r)
    return Derived(shape, "(*, C r r, H, W) -> (*, C, H r, W r)", f"{show(input.shape)} -> {show(shape)}")
