"""The arithmetic of a sliding window, shared by convolution, pooling and unfolding.

Sources: Stanford CS231n, "Convolutional Networks", for ``(W - F + 2P)/S + 1``; PyTorch's page of ``Conv2d`` for the
form with dilation, and of ``MaxPool2d`` for ``ceil_mode``. The same letters as there: H in, p padding, k kernel,
s stride, d dilation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from functools import cached_property
from typing import Any, TypeAlias

from shapeproof.dims import Dim, Formula, arithmetic, ceil_of, floor_of, names, same
from shapeproof.dims.conditions import decide
from shapeproof.records import dataclass, usual

_H, _p, _k, _s, _d = names("H p k s d")
(_extra,) = names("output_padding")
TRANSPOSED = (_H - 1) * _s - 2 * _p + _d * (_k - 1) + _extra + 1
PLAIN = floor_of((_H + 2 * _p - _k) / _s) + 1
DILATED = floor_of((_H + 2 * _p - _d * (_k - 1) - 1) / _s) + 1
PLAIN_CEIL = ceil_of((_H + 2 * _p - _k) / _s) + 1
DILATED_CEIL = ceil_of((_H + 2 * _p - _d * (_k - 1) - 1) / _s) + 1


@usual
@dataclass(frozen=True)
class Window:
    """A window sliding along one axis.

    Attributes:
        size_in: length of the axis that it slides along, at least 1.
        kernel_size: number of elements that it covers.
        stride: elements from one position to the next.
        padding: elements added at each end (both ends alike).
        dilation: distance between the elements that it covers.
        ceil_mode: whether a last window that hangs over the end is kept.
    """

    size_in: int
    kernel_size: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    ceil_mode: bool = False

    @property
    def formula(self) -> Formula:
        """The plainest textbook form that applies."""
        if self.ceil_mode:
            return PLAIN_CEIL if self.dilation == 1 else DILATED_CEIL
        return PLAIN if self.dilation == 1 else DILATED

    @cached_property
    def sizes(self) -> dict[str, int]:
        """The formula's letters with their values."""
        return {
            "H": self.size_in,
            "p": self.padding,
            "k": self.kernel_size,
            "s": self.stride,
            "d": self.dilation,
        }

    @property
    def span(self) -> int:
        """Elements from the first to the last that the window covers."""
        return self.dilation * (self.kernel_size - 1) + 1

    @cached_property
    def overhangs(self) -> bool:
        """In ceil mode: whether the last window would start in the padding at the end, and is therefore left out."""
        if not self.ceil_mode:
            return False
        last = (self.formula.value(self.sizes) - 1) * self.stride
        return decide(">=", last, self.size_in + self.padding)

    @cached_property
    def size_out(self) -> int:
        """How many positions the window has."""
        return self.formula.value(self.sizes) - (1 if self.overhangs else 0)

    @cached_property
    def arithmetic(self) -> str:
        """The formula with its values, as one writes it on paper."""
        return f"{self.formula.text(self.sizes)}{' - 1' if self.overhangs else ''} = {self.size_out}"

    @property
    def unreached(self) -> int:
        """How many of the input's own elements at the end no window reaches; negative where the last goes beyond."""
        return self.size_in - ((self.size_out - 1) * self.stride + self.span - self.padding)

    @property
    def dropped(self) -> int:
        """How many elements at the end the floor drops (0 where that depends on a letter)."""
        return 0 if isinstance(self.size_in, Dim) else max(0, self.unreached)


@dataclass(frozen=True)
class Transposed:
    """A window that is laid down for each element of an axis, as a transposed convolution does.

    Attributes:
        size_in: length of the axis before, at least 1.
        kernel_size: number of elements that it covers.
        stride: elements of the result from one to the next.
        padding: elements taken off at each end of the result.
        dilation: distance between the elements that it covers.
        output_padding: elements added at the end of the result, fewer than stride or dilation.
    """

    size_in: int
    kernel_size: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    output_padding: int = 0

    @property
    def sizes(self) -> dict[str, int]:
        """The formula's letters with their values."""
        values = (self.size_in, self.padding, self.kernel_size, self.stride, self.dilation, self.output_padding)
        return dict(zip(("H", "p", "k", "s", "d", "output_padding"), values, strict=True))

    @property
    def size_out(self) -> int:
        """The length of the axis that comes out."""
        return TRANSPOSED.value(self.sizes)

    @property
    def arithmetic(self) -> str:
        """The formula with its values, as one writes it on paper."""
        return arithmetic(TRANSPOSED, self.sizes)


def arguments(window: Window | Transposed) -> dict[str, Any]:
    """What a window was made with, by name; nothing of what was worked out of it since."""
    return {entry.name: getattr(window, entry.name) for entry in fields(window)}


AXIS_WORDS = {1: ("element",), 2: ("row", "column"), 3: ("plane", "row", "column")}


def dropped_note(windows: tuple[Window, ...]) -> tuple[str, ...]:
    """Say which rows and columns the floor drops, if any."""
    words = AXIS_WORDS[len(windows)]
    parts = []
    for window, word in zip(windows, words, strict=True):
        if window.dropped:
            which = f"the last {word}" if window.dropped == 1 else f"the last {window.dropped} {word}s"
            parts.append(f"{which} ({window.size_in} -> {window.size_out})")
    return (f"the floor drops {' and '.join(parts)}",) if parts else ()


def joined(windows: tuple[Window, ...]) -> str:
    """The arithmetic of all axes, once where they are alike."""
    lines = dict.fromkeys(window.arithmetic for window in windows)
    return "; ".join(lines)


Row: TypeAlias = tuple[int, int, int, int, int]  # what a window takes, in its order


def along(rows: Iterable[Row], *, ceil_mode: bool = False) -> tuple[Window, ...]:
    """A window for each axis; axes that are alike share one, and its arithmetic is done once.

    Args:
        rows: for each axis, its size, kernel, stride, padding and dilation.
        ceil_mode: as for :class:`Window`.
    """
    made: list[tuple[Row, Window]] = []
    for row in rows:
        alike = (window for before, window in made if all(map(same, before, row)))
        made.append((row, next(alike, None) or Window(*row, ceil_mode=ceil_mode)))
    return tuple(window for _, window in made)


def each_axis(value: int | tuple[int, ...] | list[int], axes: int) -> tuple[int, ...]:
    """One value for each axis, from one for all or one for each. Raises ``ValueError`` for another number of them."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if len(values) == 1:
        values = values * axes
    if len(values) != axes:
        raise ValueError(f"{len(values)} values for {axes} axes")
    return values
