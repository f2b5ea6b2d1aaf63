"""Every doubt about a run, and the warnings that are made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from shapeproof.capture.naming import place_name
from shapeproof.capture.trace import Call
from shapeproof.derivation.model import Fix, ShapeWarning, Step
from shapeproof.dims import Shape
from shapeproof.doubts import batch, sizes, unused
from shapeproof.doubts.scene import Doubt, Scene

FINDERS = (
    batch.reshaped,
    batch.flattened,
    batch.squeezed,
    batch.softmax,
    batch.as_time,
    sizes.broadcast,
    sizes.relabelled,
    sizes.one_value,
    unused.results,
)


def doubts(model: Any, calls: list[Call], inputs: list[Shape], output: Any, never: tuple[str, ...]) -> list[Doubt]:
    """What is almost surely wrong with a run that came through, each place once.

    Args:
        model: the module or callable.
        calls: every operation, in order.
        inputs: the shapes of the tensors that went in, with letters.
        output: the shapes that came out.
        never: paths of the modules without children that were never called.
    """
    scene = Scene(model, calls, inputs, output)
    return list(_once(scene, (*(d for find in FINDERS for d in find(scene)), *unused.layers(scene, never))))


def _once(scene: Scene, found: Sequence[Doubt]) -> Iterator[Doubt]:
    """Doubts without those that tell the same of the same line again."""
    seen: set[tuple[str, str]] = set()
    for doubt in found:
        call = scene.calls[doubt.index]
        key = (doubt.code, doubt.message if doubt.code == "never-called" else call.source or f"{call.module}.{call.op}")
        if key not in seen:
            seen.add(key)
            yield doubt


def warning(doubt: Doubt, steps: Sequence[Step], fixes: tuple[Fix, ...] = ()) -> ShapeWarning:
    """A doubt as a warning, with its place in the message."""
    step = steps[doubt.index]
    where = place_name(step.module, step.op, step.source)
    told = doubt.message if doubt.code == "never-called" else f"{where}: {doubt.message}"
    return ShapeWarning(doubt.code, told, step, fixes)
