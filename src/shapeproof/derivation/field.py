"""Receptive fields, carried from step to step.

Source: Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019.
"""

from __future__ import annotations

from shapeproof.derivation.model import ReceptiveField
from shapeproof.rules.window import Window


def start(axes: int) -> ReceptiveField:
    """At the input each element sees itself."""
    return ReceptiveField((1,) * axes, (1,) * axes, (0,) * axes)


def after(seen: ReceptiveField, windows: tuple[Window, ...]) -> ReceptiveField:
    """A window widens the field by its span, and multiplies the stride."""
    rows = list(zip(windows, seen.size, seen.stride, seen.start, strict=True))
    return ReceptiveField(
        tuple(size + (w.span - 1) * stride for w, size, stride, _ in rows),
        tuple(stride * w.stride for w, _, stride, _ in rows),
        tuple(first - w.padding * stride for w, _, stride, first in rows),
    )


def together(fields: list[ReceptiveField | None]) -> ReceptiveField | None:
    """Branches that meet see what any of them sees; not defined where their strides differ."""
    known = [f for f in fields if f is not None]
    if not known or len(known) != len(fields) or len({f.stride for f in known}) > 1:
        return None
    first = tuple(min(f.start[a] for f in known) for a in range(len(known[0].size)))
    last = [max(f.start[a] + f.size[a] for f in known) for a in range(len(first))]
    return ReceptiveField(tuple(end - begin for begin, end in zip(first, last, strict=True)), known[0].stride, first)
