"""The rows in which a derivation is drawn: its inputs, then its steps, repetitions told once, skips beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shapeproof.derivation.model import Derivation, Step
from shapeproof.records import dataclass
from shapeproof.render import folding, lanes
from shapeproof.render.drawing import Extent, extent, extents, first_shape


@dataclass(frozen=True)
class Shown:
    """A row to show.

    Attributes:
        name: its anchor on the page.
        step: the step; ``None`` for an input.
        shape: what is drawn and written as its output.
        box: the feature map.
        lanes: what runs beside it.
        below: whether the next row is fed by this one.
        group: the repetition that begins with this row, and the names of its blocks.
        folded: whether it belongs to a repetition.
        sources: numbers of the steps it takes from, as the page counts them.
        feeds: names of the rows that feed it.
    """

    name: str
    step: Step | None
    shape: Any
    box: Extent | None
    lanes: lanes.Row
    below: bool
    group: tuple[folding.Group, tuple[str, ...]] | None = None
    folded: bool = False
    sources: tuple[int, ...] = ()
    feeds: tuple[str, ...] = ()


def shown_rows(derivation: Derivation) -> list[Shown]:
    """The rows of the page: inputs first, then the steps, repetitions told once."""
    inputs = _inputs(derivation)
    steps = derivation.steps
    stands_for: dict[int, int] = {}  # step -> the step that is shown in its place
    groups: dict[int, tuple[folding.Group, tuple[str, ...]]] = {}
    for group in folding.folded(steps):
        for place in range(group.length * group.times):
            stands_for[group.start + place] = group.start + place % group.length
        if group.times > 1:
            starts = range(group.start, group.start + group.length * group.times, group.length)
            owners = (folding.owner(steps[at : at + group.length]) for at in starts)
            groups[group.start] = (group, tuple(name for name in owners if name))
    kept = [step for step in steps if stands_for[step.index] == step.index]
    row_of = {step.index: len(inputs) + place for place, step in enumerate(kept)}
    members = _members(groups)
    parents: list[tuple[int, ...]] = [() for _ in inputs] + [
        _parents(step, inputs, {**row_of, **{hidden: row_of[s] for hidden, s in stands_for.items()}}) for step in kept
    ]
    laid = lanes.rows(parents)
    below = [row.straight for row in laid[1:]] + [False]
    boxes = extents(steps)
    names = [row.name for row in inputs] + [f"s{step.index}" for step in kept]
    shown = [replace(row, lanes=lane, below=under) for row, lane, under in zip(inputs, laid, below, strict=False)]
    for place, step in enumerate(kept, len(inputs)):
        sources = tuple(dict.fromkeys(stands_for[p] for p in step.parents))
        row = Shown(names[place], step, step.output, boxes[step.index], laid[place], below[place], sources=sources)
        feeds = tuple(names[parent] for parent in parents[place])
        shown.append(replace(row, group=groups.get(step.index), folded=step.index in members, feeds=feeds))
    return shown


def _members(groups: dict[int, tuple[folding.Group, tuple[str, ...]]]) -> set[int]:
    """The steps that belong to a repetition."""
    return {at for start, (group, _) in groups.items() for at in range(start, start + group.length)}


def _parents(step: Step, inputs: Sequence[Shown], row_of: dict[int, int]) -> tuple[int, ...]:
    """The rows that feed a step; one that takes no earlier result takes the input of its shape."""
    if step.parents:
        return tuple(sorted({row_of[parent] for parent in step.parents}))
    if not step.inputs:
        return ()
    return tuple(place for place, row in enumerate(inputs) if row.shape == step.inputs[0])


def _inputs(derivation: Derivation) -> list[Shown]:
    """A row for each different shape with which steps begin that take no earlier result."""
    begin = {str(step.inputs[0]): step for step in reversed(derivation.steps) if step.inputs and not step.parents}
    rows: list[Shown] = []
    for step in reversed(begin.values()):
        shape = first_shape(step.inputs[0])
        if shape is not None:
            rows.append(Shown(f"in{len(rows)}", None, shape, extent(shape, len(step.windows)), lanes.Row(False), False))
    return rows
