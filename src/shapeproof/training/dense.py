"""A convolution over few places as one matrix product: the same sums, without those over padding.

A 5x5 kernel with padding 2 on a 3x3 map meets 25 places for each of its 9 outputs, of which at most 9 are there. Its
matrix from every input place to every output place, each entry one of the kernel's or zero, is smaller than the work
that a convolution would do, and one product serves it.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

# A kernel must have this many times the entries that the map has places: at 1.6 both are as quick (measured for 5x5
# kernels in bfloat16), at 2.8 the product is twice as quick.
WORTH = 2


@dataclass(frozen=True)
class Places:
    """Which entry of the kernel leads from each input place to each output place.

    Attributes:
        height: Rows of the output.
        width: Columns of the output.
        tap: ``int64 (height * width * inputs,)``: the kernel's entry, counted by rows; the entry after the last
            where none leads there.
    """

    height: int
    width: int
    tap: Tensor


Axis = tuple[int, int, int, int, int]  # input size, kernel size, stride, padding, dilation


@functools.lru_cache(maxsize=64)
def _places(vertical: Axis, horizontal: Axis) -> Places:
    down, across = _line(*vertical)[:, None, :, None], _line(*horizontal)[None, :, None, :]
    entries = vertical[1] * horizontal[1]
    tap = (down * horizontal[1] + across).where((down >= 0) & (across >= 0), torch.tensor(entries))
    return Places(down.shape[0], across.shape[1], tap.reshape(-1))


def _line(size: int, kernel: int, stride: int, padding: int, dilation: int) -> Tensor:
    """Along one axis: the kernel's entry ``int64 (out, in)`` between each pair of places, -1 for none."""
    out = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    apart = torch.arange(size)[None, :] + padding - stride * torch.arange(out)[:, None]
    entry = apart // dilation
    return entry.where((apart % dilation == 0) & (entry >= 0) & (entry < kernel), torch.tensor(-1))


def _axes(conv: nn.Conv2d, x: Tensor) -> tuple[Axis, Axis]:
    padding = [int(p) for p in conv.padding]  # a word, such as "same", never comes here
    vertical, horizontal = zip(x.shape[2:], conv.kernel_size, conv.stride, padding, conv.dilation, strict=True)
    return vertical, horizontal


def pays(conv: nn.Conv2d, x: Tensor) -> bool:
    """Whether ``conv`` has much of its kernel in the padding on a map as small as ``x``, ``(N, C, H, W)``.

    Never elsewhere than on a processor: the gradient's additions have no fixed order on an accelerator.
    """
    if (
        x.device.type != "cpu"
        or conv.groups != 1
        or conv.padding_mode != "zeros"
        or isinstance(conv.padding, str)
        or x.dim() != 4
    ):
        return False
    fits = all(size + 2 * p >= dilation * (kernel - 1) + 1 for size, kernel, _, p, dilation in _axes(conv, x))
    return fits and WORTH * x.shape[2] * x.shape[3] <= conv.kernel_size[0] * conv.kernel_size[1]


def convolved(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """What ``conv`` gives for ``x``, ``(N, C, H, W)``, by one matrix product; differentiable as it is."""
    places = _places(*_axes(conv, x))
    dtype = torch.get_autocast_dtype(x.device.type) if torch.is_autocast_enabled(x.device.type) else x.dtype
    taps = conv.weight.to(dtype).permute(0, 2, 3, 1).flatten(1, 2)  # (out_channels, kH * kW, in_channels)
    taps = functional.pad(taps, (0, 0, 0, 1))
    outputs = places.height * places.width
    matrix = taps.index_select(1, places.tap).reshape(conv.out_channels * outputs, -1)
    bias = None if conv.bias is None else conv.bias.to(dtype).repeat_interleave(outputs)
    out = functional.linear(x.permute(0, 2, 3, 1).flatten(1), matrix, bias)
    maps: Tensor = out.view(len(x), conv.out_channels, places.height, places.width)
    return maps.contiguous(memory_format=torch.channels_last)


@contextlib.contextmanager
def dense_where_small(model: nn.Module) -> Iterator[int]:
    """Inside, convolutions over few places run as matrix products; yields how many layers are watched for that.

    The sums are the same, in another order: float32 results differ by rounding. Weights, names and hooks stay as they
    are; a layer whose ``forward`` is its own already, or which is of a class of the user's, is left alone.
    """
    chosen = [m for m in model.modules() if type(m) is nn.Conv2d and "forward" not in vars(m)]

    def wrapped(conv: nn.Conv2d) -> object:
        def forward(x: Tensor) -> Tensor:
            return convolved(conv, x) if pays(conv, x) else nn.Conv2d.forward(conv, x)

        return forward

    try:
        for conv in chosen:
            vars(conv)["forward"] = wrapped(conv)
        yield len(chosen)
    finally:
        for conv in chosen:
            vars(conv).pop("forward", None)
