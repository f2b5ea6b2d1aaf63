"""The inverse question: which windows map one size to another."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from shapeproof.rules.window import Window

Choice = Iterable[int] | int


def solve(
    size_in: int,
    size_out: int,
    kernel_size: Choice = range(1, 8),
    stride: Choice = range(1, 5),
    padding: Choice = range(4),
    dilation: Choice = 1,
    pool: bool = False,
) -> list[Window]:
    """Every window that maps ``size_in`` to ``size_out``, the conventional ones first.

    Args:
        size_in: length of the axis before, at least 1.
        size_out: length after, at least 1.
        kernel_size: the kernels to try, one or several; likewise the following.
        stride: elements from one position to the next.
        padding: elements added at each end.
        dilation: distance between the elements that a window covers.
        pool: only what pooling allows: padding of at most half the kernel.

    Returns:
        Windows with their ``arithmetic``. Conventional are odd kernels with the padding ``(k - 1)/2`` that keeps the
        size at stride 1, pooling windows with kernel equal to stride and no padding, small kernels before large.

    Raises:
        ValueError: for a size below 1, or a choice that no window can have.
    """
    if size_in < 1 or size_out < 1:
        raise ValueError(f"sizes are at least 1, got {size_in} and {size_out}")
    choices = [_all(choice) for choice in (kernel_size, stride, padding, dilation)]
    for name, low, values in zip(("kernel_size", "stride", "padding", "dilation"), (1, 1, 0, 1), choices, strict=True):
        if not values or min(values) < low:
            raise ValueError(f"{name} is at least {low}, got {values}")
    found = [Window(size_in, k, s, p, d) for k, s, p, d in itertools.product(*choices)]
    fits = [w for w in found if size_in + 2 * w.padding >= w.span and w.size_out == size_out]
    return sorted((w for w in fits if not pool or 2 * w.padding <= w.kernel_size), key=_unusual)


def _all(choice: Choice) -> list[int]:
    return [choice] if isinstance(choice, int) else sorted(set(choice))


def _unusual(window: Window) -> tuple[int, ...]:
    """How far a window is from what people write."""
    k, s, p, d = window.kernel_size, window.stride, window.padding, window.dilation
    same = k % 2 == 1 and 2 * p == d * (k - 1) and k > 1
    pooling = k == s and p == 0 and d == 1
    plain = p == 0 and d == 1
    kind = 0 if (same or pooling) and k >= s else 1 if plain and k >= s else 2 if k >= s else 3
    return (kind, d, window.dropped, abs(k - 3), k, p)
