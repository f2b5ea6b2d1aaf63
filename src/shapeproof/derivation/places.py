"""Which elements along one axis of the input each position along an axis sees, exactly, for any mix of strides.

Source: Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019, for
windows; what makes an axis longer (transposed convolutions, interpolation) sees by turns more and less of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

from shapeproof.records import dataclass

Span = tuple[int, int] | None  # the first and the last element; None where a position sees nothing

MOST_PHASES = 512  # with more, the field is not told
MOST_PLACES = 1 << 14  # along an axis, where every position is looked at


@dataclass(frozen=True)
class Places:
    """Position ``q * len(spans) + r`` sees ``spans[r]``, moved by ``q * advance``.

    Attributes:
        spans: first and last element that each of the first positions sees; below 0 or beyond the end is padding.
        advance: how far the input moves on for as many positions.
        step: distance of the elements that are seen, which matters where something is put before.
    """

    spans: tuple[Span, ...]
    advance: int
    step: int = 1

    def at(self, position: int) -> Span:
        """The first and the last element that a position sees."""
        turn, phase = divmod(position, len(self.spans))
        span = self.spans[phase]
        return None if span is None else (span[0] + turn * self.advance, span[1] + turn * self.advance)

    @property
    def size(self) -> int:
        """How many elements a position sees at most, from the first to the last."""
        return max((span[1] - span[0] + 1 for span in self.spans if span), default=0)

    @property
    def stride(self) -> int | Fraction:
        """How far apart the fields of two neighbours are, on average."""
        rate = Fraction(self.advance, len(self.spans))
        return int(rate) if rate.denominator == 1 else rate

    @cached_property
    def even(self) -> bool:
        """Whether a later position begins and ends no earlier, so that the ends of a range say all."""
        spans = [self.at(position) for position in range(len(self.spans) + 1)]
        return None not in spans and all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(spans) if a and b)

    def after(self, inner: Places) -> Places | None:
        """What is seen through ``inner``, whose positions are the elements that these places see."""
        turns = len(inner.spans) // math.gcd(self.advance, len(inner.spans))
        count = len(self.spans) * turns
        if count > MOST_PHASES:
            return None
        look = _through_ends if inner.even else _through_all
        spans = tuple(look(inner, self.at(position), self.step) for position in range(count))
        return Places(spans, self.advance * turns // len(inner.spans) * inner.advance).plain

    def union(self, other: Places) -> Places | None:
        """What either sees; ``None`` where they move on at different rates, so that no one rate is right."""
        if self.advance * len(other.spans) != other.advance * len(self.spans):
            return None
        count = math.lcm(len(self.spans), len(other.spans))
        if count > MOST_PHASES:
            return None
        spans = tuple(both(self.at(position), other.at(position)) for position in range(count))
        return Places(spans, self.advance * count // len(self.spans)).plain

    @property
    def plain(self) -> Places:
        """The same with as few phases as there are."""
        for count in range(1, len(self.spans)):
            if len(self.spans) % count == 0 and (self.advance * count) % len(self.spans) == 0:
                shorter = Places(self.spans[:count], self.advance * count // len(self.spans))
                if all(shorter.at(position) == span for position, span in enumerate(self.spans)):
                    return shorter
        return self

    def over(self, positions: tuple[int, int]) -> Span:
        """What a range of positions sees together."""
        first, last = positions
        found: Span = None
        for position in (first, last) if self.even else range(first, min(last, first + MOST_PLACES) + 1):
            found = both(found, self.at(position))
        return found

    def cover(self, count: int, size: int) -> Span:
        """What the first ``count`` positions together see of an axis of ``size`` elements."""
        return clipped(self.over((0, count - 1)), size)


def both(a: Span, b: Span) -> Span:
    """From the first to the last of what two spans hold."""
    if a is None or b is None:
        return b if a is None else a
    return min(a[0], b[0]), max(a[1], b[1])


def clipped(span: Span, size: int) -> Span:
    """What of a span lies within an axis of ``size`` elements."""
    return within(span, (0, size - 1))


def within(span: Span, limits: tuple[int, int]) -> Span:
    """What of a span lies within others."""
    if span is None or span[1] < limits[0] or span[0] > limits[1]:
        return None
    return max(span[0], limits[0]), min(span[1], limits[1])


def _through_ends(inner: Places, span: Span, step: int) -> Span:
    return inner.over(span) if span else None


def _through_all(inner: Places, span: Span, step: int) -> Span:
    found: Span = None
    for position in range(span[0], span[1] + 1, step) if span else ():
        found = both(found, inner.at(position))
    return found


ITSELF = Places(((0, 0),), 1)


def always(span: Span) -> Places:
    """Every position sees the same."""
    return Places((span,), 0)


def moved(start: int, step: int = 1) -> Places:
    """Position i is element ``start + i * step``."""
    return Places(((start, start),), step)


def window(kernel_size: int, stride: int, padding: int, dilation: int) -> Places:
    """A sliding window, as of a convolution or pooling."""
    return Places(((-padding, dilation * (kernel_size - 1) - padding),), stride, dilation)


def transposed(kernel_size: int, stride: int, padding: int, dilation: int) -> Places:
    """A window laid down for each element: position o has that of element i where ``o = i*s - p + d*j``."""
    spans: list[Span] = []
    for position in range(stride):
        reached = [position + padding - dilation * j for j in range(kernel_size)]
        elements = [place // stride for place in reached if place % stride == 0]
        spans.append((min(elements), max(elements)) if elements else None)
    return Places(tuple(spans), 1).plain


def adaptive(size_in: int, size_out: int) -> Places | None:
    """The windows of adaptive pooling: from ``floor(i*H/out)`` up to ``ceil((i + 1)*H/out)``."""
    share = math.gcd(size_in, size_out)
    phases, advance = size_out // share, size_in // share
    if phases > MOST_PHASES:
        return None
    spans = [(i * size_in // size_out, -((-(i + 1) * size_in) // size_out) - 1) for i in range(phases)]
    return Places(tuple(spans), advance)


# how far before and after the place that falls between two elements each mode looks
_REACH = {"nearest": None, "nearest-exact": None, "linear": (0, 1), "bilinear": (0, 1), "trilinear": (0, 1),
          "bicubic": (-1, 2)}  # fmt: skip


def resized(scale: Fraction, mode: str, corners: bool) -> Places | None:
    """Interpolation, where one step along the result is ``scale`` elements of the input; ``None`` where not known."""
    if mode not in _REACH or corners or scale.denominator > MOST_PHASES:
        return None
    place: Callable[[int], Fraction] = lambda i: (i + Fraction(1, 2)) * scale - Fraction(1, 2)  # noqa: E731
    spans: list[Span] = []
    for i in range(scale.denominator):
        reach = _REACH[mode]
        if reach is None:
            near = math.floor((i if mode == "nearest" else i + Fraction(1, 2)) * scale)
            spans.append((near, near))
        else:
            low = math.floor(place(i))
            spans.append((low, low) if place(i) == low else (low + reach[0], low + reach[1]))
    return Places(tuple(spans), scale.numerator)


def shuffled(factor: int) -> Places:
    """Each element becomes ``factor`` positions, as pixel shuffling does."""
    return Places(((0, 0),) * factor, 1)
