"""Edits of the model's input: its batch, its layout, its size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import Tensor

from shapeproof.diagnosis.case import Case, feds, sizes, tried
from shapeproof.diagnosis.edits import Edit, resized
from shapeproof.diagnosis.propose import input_edit

WRITTEN_FOR = (28, 32, 224)  # MNIST, CIFAR, ImageNet
KNOWN = {(1, 28), (1, 32), (3, 32), (1, 224), (3, 224)}  # channels and sides of what those networks are given
SIZES = (*WRITTEN_FOR, 64, 96, 128, 227, 256, 299, 512)
LARGEST = 2**24  # elements of an input that is tried
SMALLEST = 129  # the smallest size that works is looked for below this one


def spatial_axes(value: Tensor) -> range:
    """The axes of an input along which a window slides."""
    if not value.is_floating_point():
        return range(1, value.dim())
    return range(2, value.dim()) if value.dim() >= 3 else range(1, value.dim())


def batch_edits(case: Case) -> Iterator[Edit]:
    """A batch put before an input that the first convolution took for one sample."""
    first = case.calls[0]
    before = feds(first)
    if not first.op.startswith("conv") or len(before) < 2 or len(before[0].shape) != len(before[1].shape) - 1:
        return
    place = case.input_of(before[0])
    if place is not None:
        yield unsqueezed(case, place, 0, 0.0)


def unsqueezed(case: Case, place: int | str, axis: int, cost: float, code: str = "missing-batch") -> Edit:
    """A dimension of size 1: the batch, or the channel."""
    what = "batch" if axis == 0 else "channel"
    return input_edit(case, place, what, f"a {what}, x.unsqueeze({axis})", lambda x: x.unsqueeze(axis), cost, code)


def other_sizes(case: Case, known_only: bool = False) -> Iterator[Edit]:
    """The same input at common sizes; what fits a size for which networks are written comes first."""
    first = case.setup.first()
    if first is None or first[1].dim() < 4 or not first[1].is_floating_point():
        return
    place, value = first
    for size in SIZES:
        cost = _cost(value, size)
        yield from _at_size(
            case, place, value, dict.fromkeys(spatial_axes(value), size), cost if known_only else cost + 0.5
        )


def _cost(value: Tensor, size: int) -> float:
    """How plausible it is that a network was written for pictures of this side."""
    if size not in WRITTEN_FOR:
        return 2.0
    return 0.0 if value.dim() != 4 or (value.shape[1], size) in KNOWN or value.shape[1] > 4 else 1.0


def larger(case: Case) -> Iterator[Edit]:
    """Larger inputs, the smallest first: for what leaves nothing for a kernel."""
    first = case.setup.first()
    if first is None or not spatial_axes(first[1]):
        return
    place, value = first
    axes = spatial_axes(value)
    low = min(value.shape[axis] for axis in axes)
    if value.dim() == 4 and low < 224 and _only_at(case, place, value, 224):
        yield from _at_size(case, place, value, dict.fromkeys(axes, 224), 0.3)
    for size in (*range(low + 1, SMALLEST), *(s for s in SIZES if s >= SMALLEST)):
        chosen = {axis: max(size, value.shape[axis]) for axis in axes}
        yield from _at_size(case, place, value, chosen, 0.5, ", the smallest that work" if size < SMALLEST else "")


def _only_at(case: Case, place: int | str, value: Tensor, side: int) -> bool:
    """Whether a network runs at a side and not at twice that side: its last layers are made for the first."""
    runs = []
    for size in (2 * side, side):
        setup = case.setup.copied()
        held: Any = setup.args if isinstance(place, int) else setup.kwargs
        held[place] = resized(value[:1], dict.fromkeys(spatial_axes(value), size))
        try:
            runs.append(tried(setup)[0] is None)
        except Exception:  # noqa: BLE001  # the model's own error at another size
            return False
    return runs == [False, True]


def _at_size(
    case: Case, place: int | str, value: Tensor, axes: dict[int, int], cost: float, more: str = ""
) -> Iterator[Edit]:
    shape = [axes.get(axis, size) for axis, size in enumerate(value.shape)]
    if shape == list(value.shape) or math.prod(shape) > LARGEST:
        return
    wanted = " x ".join(str(size) for size in axes.values())
    yield input_edit(case, place, "size", f"sizes of {wanted}{more}", partial(resized, axes=axes), cost)


def channels(case: Case, needed: int, axis: int, cost: float) -> Iterator[Edit]:
    """Another number of channels of the input that went straight into the failed call."""
    place = case.input_of(case.fed[0])
    if place is None:
        return
    came = sizes(case.fed[0])[axis]
    if came == 4 and needed == 3:
        text = "its colours without the transparency, x[:, :3]"
        yield input_edit(case, place, "channels", text, lambda x: x.narrow(axis, 0, 3), 0.3, "in-channels")
    elif came == 1:
        text = f"its one channel {needed} times"
        times = {axis: needed}
        yield input_edit(case, place, "channels", text, partial(resized, axes=times), cost, "in-channels")
    else:
        change = partial(resized, axes={axis: needed})
        yield input_edit(case, place, "channels", f"{needed} channels", change, cost + 0.3, "in-channels")


def moved(case: Case, order: tuple[int, ...], cost: float, code: str = "channels-last") -> Iterator[Edit]:
    """The input with its dimensions in another order."""
    place = case.input_of(case.fed[0])
    if place is None:
        return
    listed = ", ".join(map(str, order))
    yield input_edit(
        case, place, "layout", f"the channels where the layer looks for them, x.permute({listed})",
        lambda x: x.permute(order), cost, code,
    )  # fmt: skip


def square(total: int) -> int | None:
    """The side of a square of this many elements, if there is one."""
    side = math.isqrt(total)
    return side if side * side == total else None
