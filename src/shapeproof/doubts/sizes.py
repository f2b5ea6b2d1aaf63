"""Doubts about sizes that happen to fit: pairs that broadcast, axes that are relabelled, a choice among one."""

from __future__ import annotations

import math
from collections.abc import Iterator

from shapeproof.capture.recorder import COMPARING
from shapeproof.capture.trace import Call
from shapeproof.dims import Shape, same
from shapeproof.doubts.batch import SOFTMAXES, dim_of, one_in
from shapeproof.doubts.scene import Doubt, Scene, result
from shapeproof.rules.registry import show


def broadcast(scene: Scene) -> Iterator[Doubt]:
    """``(N,)`` and ``(N, 1)`` that meet: every sample is compared with every other."""
    for index, call in scene.of(COMPARING | {"sub"}):
        if len(call.inputs) < 2:
            continue
        a, b = call.inputs[:2]
        size = min(a, b, key=len)[0] if a and b else 0
        if not _apart(a, b) or not scene.is_batch(size) or _made_up(scene, index):
            continue
        message = (
            f"{call.op} of {show(a)} and {show(b)} broadcasts to ({size}, {size}): each of the {size} predictions "
            f"is compared with all {size} targets"
        )
        yield Doubt("outer-broadcast", message, index)
    yield from _unequal_losses(scene)


def _apart(a: Shape, b: Shape) -> bool:
    """Whether one is ``(N,)`` and the other ``(N, 1)``."""
    lines, columns = sorted((a, b), key=len)
    return len(lines) == 1 and len(columns) == 2 and same(columns[1], 1) and same(columns[0], lines[0])


def _unequal_losses(scene: Scene) -> Iterator[Doubt]:
    """A loss of two shapes that differ otherwise: PyTorch broadcasts them."""
    for index, call in scene.of(COMPARING):
        if len(call.inputs) < 2:
            continue
        a, b = call.inputs[:2]
        if (len(a) == len(b) and all(map(same, a, b))) or not a or not b:
            continue
        if _apart(a, b) and scene.is_batch(a[0]):
            continue  # told above
        if math.prod(map(int, a)) != 1 and math.prod(map(int, b)) != 1:
            message = (
                f"{call.op} of {show(a)} and {show(b)} broadcasts: values are compared that do not belong together"
            )
            yield Doubt("outer-broadcast", message, index)


def _made_up(scene: Scene, index: int) -> bool:
    """Whether an operand comes from no input, such as positions from ``arange``."""
    return any(not call.inputs and not call.parents for call in scene.makers(index))


def relabelled(scene: Scene) -> Iterator[Doubt]:
    """A reshape that only swaps two sizes: the elements stay where they are, and rows are cut up."""
    for index, call in scene.of(["view", "reshape"]):
        entering, leaving = one_in(call), result(call)
        if not leaving or len(leaving) != len(entering):
            continue
        differ = [place for place, (a, b) in enumerate(zip(entering, leaving, strict=True)) if not same(a, b)]
        if len(differ) != 2:
            continue
        i, j = differ
        swapped = same(entering[i], leaving[j]) and same(entering[j], leaving[i])
        if swapped and not any(same(entering[place], 1) for place in differ):
            message = (
                f"{call.op} makes {show(leaving)} of {show(entering)}: the sizes of dimensions {i} and {j} change "
                "places, but the elements do not, as a transpose would move them"
            )
            yield Doubt("swapped-axes", message, index)


def one_value(scene: Scene) -> Iterator[Doubt]:
    """A softmax over a single value, or a single class: the result is the same whatever comes in."""
    for index, call in scene.of(SOFTMAXES | {"cross_entropy"}):
        entering = one_in(call)
        if call.op in SOFTMAXES and len(entering) > 1:
            dim = dim_of(call)
            if isinstance(dim, int) and same(entering[dim], 1):
                always = "0" if call.op == "log_softmax" else "1"
                message = f"{call.op} over dim {dim} of {show(entering)} has a single value: it always gives {always}"
                yield Doubt("one-value", message, index)
        elif _one_class(call):
            yield Doubt("one-value", f"cross_entropy of {show(entering)} has one class: the loss is 0 always", index)


def _one_class(call: Call) -> bool:
    """Whether a cross entropy of class indices knows a single class."""
    if call.op != "cross_entropy" or len(call.inputs) < 2:
        return False
    scores, target = call.inputs[:2]
    return len(scores) > 1 and len(target) == len(scores) - 1 and same(scores[1], 1)
