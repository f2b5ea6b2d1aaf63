"""The inverse question: which windows map one size to another."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable
from typing import Any, Literal, overload

from shapeproof.rules.window import Transposed, Window

Choice = Iterable[int] | int
LOWEST = {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1, "output_padding": 0}


@overload
def solve(size_in: int, size_out: int, kernel_size: Choice = ..., stride: Choice = ..., padding: Choice = ...,
          dilation: Choice = ..., pool: bool = ..., transposed: Literal[False] = ..., output_padding: Choice = ...,
          ) -> list[Window]: ...  # fmt: skip
@overload
def solve(size_in: int, size_out: int, kernel_size: Choice = ..., stride: Choice = ..., padding: Choice = ...,
          dilation: Choice = ..., pool: bool = ..., *, transposed: bool, output_padding: Choice = ...,
          ) -> list[Window] | list[Transposed]: ...  # fmt: skip
def solve(
    size_in: int,
    size_out: int,
    kernel_size: Choice = range(1, 8),
    stride: Choice = range(1, 5),
    padding: Choice = range(4),
    dilation: Choice = 1,
    pool: bool = False,
    transposed: bool = False,
    output_padding: Choice = 0,
) -> list[Window] | list[Transposed]:
    """Every window that maps ``size_in`` to ``size_out``, the conventional ones first.

    Args:
        size_in: length of the axis before, at least 1.
        size_out: length after, at least 1.
        kernel_size: the kernels to try, one or several; likewise the following.
        stride: elements from one position to the next.
        padding: elements added at each end.
        dilation: distance between the elements that a window covers.
        pool: only what pooling allows: padding of at most half the kernel.
        transposed: windows of a transposed convolution.
        output_padding: of a transposed convolution, the elements added at one end of the result.

    Returns:
        Windows with their ``arithmetic``. Conventional are odd kernels with the padding ``(k - 1)/2`` that keeps the
        size at stride 1, pooling windows with kernel equal to stride and no padding, transposed ones that multiply the
        size by their stride, small kernels before large.

    Raises:
        ValueError: for a size below 1, or a choice that no window can have.
    """
    size_in, size_out = _whole("size_in", size_in), _whole("size_out", size_out)
    if size_in < 1 or size_out < 1:
        raise ValueError(f"sizes are at least 1, got {size_in} and {size_out}")
    if pool and transposed:
        raise ValueError("a pooling window is not transposed; choose one of pool and transposed")
    given = (kernel_size, stride, padding, dilation, output_padding)
    choices = {name: _all(name, choice) for name, choice in zip(LOWEST, given, strict=True)}
    for name, values in choices.items():
        if not values or min(values) < LOWEST[name]:
            raise ValueError(f"{name} is at least {LOWEST[name]}, got {values}")
    if not transposed and choices["output_padding"] != [0]:
        raise ValueError("output_padding belongs to a transposed window; ask for transposed as well")
    *plain, extras = choices.values()
    if transposed:
        laid = [Transposed(size_in, *row) for row in itertools.product(*plain, extras)]
        ok = [w for w in laid if w.size_out == size_out and w.output_padding < max(w.stride, w.dilation)]
        return sorted(ok, key=_unusual_transposed)
    found = [Window(size_in, k, s, p, d) for k, s, p, d in itertools.product(*plain)]
    fits = [w for w in found if size_in + 2 * w.padding >= w.span and w.size_out == size_out]
    return sorted((w for w in fits if not pool or 2 * w.padding <= w.kernel_size), key=_unusual)


def _all(name: str, choice: Choice) -> list[int]:
    given: Any = choice  # a text, which has parts too, is refused as one
    several = (given,) if isinstance(given, str) or not isinstance(given, Iterable) else given
    return sorted({_whole(name, one) for one in several})


def _whole(name: str, number: object) -> int:
    try:
        return operator.index(number)  # type: ignore[arg-type]  # whatever a user gave, NumPy's integers too
    except TypeError:
        raise ValueError(f"{name} is a whole number, got {number!r}") from None


def _unusual(window: Window) -> tuple[int, ...]:
    """How far a window is from what people write."""
    k, s, p, d = window.kernel_size, window.stride, window.padding, window.dilation
    same = k % 2 == 1 and 2 * p == d * (k - 1) and k > 1
    pooling = k == s and p == 0 and d == 1
    plain = p == 0 and d == 1
    kind = 0 if (same or pooling) and k >= s else 1 if plain and k >= s else 2 if k >= s else 3
    return (kind, d, window.dropped, abs(k - 3), k, p)


def _unusual_transposed(window: Transposed) -> tuple[int, ...]:
    """Likewise: those that multiply the size by the stride come first."""
    k, s, p, extra = window.kernel_size, window.stride, window.padding, window.output_padding
    times = window.size_out == window.size_in * s
    return (0 if times and k >= s else 1 if k >= s else 2, window.dilation, extra, p, k, s)
