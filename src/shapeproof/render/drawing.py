"""Feature maps to scale: what is drawn of a shape, and on which scale."""

from __future__ import annotations

from collections.abc import Sequence

from shapeproof.derivation.model import Step
from shapeproof.dims import Shape
from shapeproof.records import dataclass

FRONT, DEPTH = 92, 60  # pixels of the longest side, and of the most channels
THICKEST = 4  # pixels of one channel, at most: a single one is a sheet and no block
DEPTH_X, DEPTH_Y = 0.8, 0.45  # where depth goes on paper, a pixel of it


@dataclass(frozen=True)
class Extent:
    """A feature map as a box: rows, columns, channels; each at least 1."""

    height: int
    width: int
    channels: int


def extent(shape: Shape, spatial: int) -> Extent:
    """The box of a shape; ``spatial`` is how many spatial axes its last axes are, 0 where that is not known."""
    sizes = (1,) * max(0, 2 - len(shape)) + tuple(shape)
    if spatial == 1 and len(shape) >= 2:
        return Extent(1, sizes[-1], sizes[-2])
    if spatial >= 2 and len(shape) > spatial:
        return Extent(sizes[-2], sizes[-1], sizes[-1 - spatial])
    if len(sizes) == 2:
        return Extent(1, 1, sizes[-1])
    if len(sizes) == 3:  # tokens: their number along, their features deep
        return Extent(1, sizes[-2], sizes[-1])
    return Extent(sizes[-2], sizes[-1], sizes[-3])


def first_shape(output: object) -> Shape | None:
    """The shape of the first tensor in an output, however it is nested."""
    if isinstance(output, (tuple, list)):
        if all(isinstance(size, int) for size in output):
            return tuple(output)
        return next((found for part in output if (found := first_shape(part)) is not None), None)
    if isinstance(output, dict):
        return first_shape(tuple(output.values()))
    return None


def extents(steps: Sequence[Step]) -> list[Extent | None]:
    """The box of each step's (first) output; a step passes on how many spatial axes there are while ranks agree."""
    known: list[tuple[int, int]] = []  # rank and spatial axes of each step's output
    found: list[Extent | None] = []
    for step in steps:
        shape = first_shape(step.output)
        rank = len(shape) if shape is not None else -1
        passed = next((known[p][1] for p in step.parents if p < len(known) and known[p][0] == rank), 0)
        spatial = len(step.windows) or passed
        known.append((rank, spatial))
        found.append(extent(shape, spatial) if shape is not None else None)
    return found


def scales(boxes: Sequence[Extent | None]) -> tuple[float, float]:
    """Pixels for a row or column, and for a channel, so that the largest of each fills its room.

    Flat vectors do not count beside maps: a long one would leave no depth to see in any of them.
    """
    known = [box for box in boxes if box is not None]
    known = [box for box in known if int(box.height) * int(box.width) > 1] or known
    side = max((max(int(box.height), int(box.width)) for box in known), default=1)
    deep = max((int(box.channels) for box in known), default=1)
    return FRONT / max(1, side), min(THICKEST, DEPTH / max(1, deep))
