"""Linear layers: ``in_features``, a flatten that is missing, features that stand in another dimension."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from shapeproof.diagnosis.case import Case
from shapeproof.diagnosis.edits import Edit
from shapeproof.diagnosis.inputs import batch_edits, other_sizes
from shapeproof.diagnosis.propose import argument, wrap
from shapeproof.diagnosis.rebuild import CONVS, arguments
from shapeproof.diagnosis.reshaping import FLATTEN, lost_batch
from shapeproof.diagnosis.width import upstream_width


def find(case: Case) -> Iterator[Edit]:
    """Edits for a linear layer that was given another number of features."""
    layer = case.owner
    if not isinstance(layer, nn.Linear) or case.call.op != "linear" or not case.fed:
        return
    entering, needed, made_as = case.entering, layer.in_features, case.layout(case.fed[0])
    if not entering:
        return
    if len(entering) >= 3:
        yield from _of_a_map(case, entering, needed, made_as)
    else:
        yield from _of_rows(case, entering, needed)
    cost = 6.0 if len(entering) >= 4 and made_as in ("first", "input") else 0.4
    yield from argument(case, case.path, "in_features", entering[-1], cost, "in-features")
    yield from upstream_width(case, needed)


def flatten(case: Case, cost: float = 0.0) -> list[Edit]:
    """All but the batch become one dimension."""
    template = FLATTEN.replace("x", "{}") if "torch" in case.names else "{}.flatten(1)"
    words = "flatten all but the batch, since a Linear takes rows"
    return wrap(
        case, 0, template, words, lambda x: torch.flatten(x, 1), cost, "missing-flatten", FLATTEN, "flatten"
    )  # fmt: skip


def _of_a_map(case: Case, entering: tuple[int, ...], needed: int, made_as: str) -> Iterator[Edit]:
    """What came still has its places: rows of a picture, or steps of a sequence."""
    width = math.prod(entering[1:])
    picture = made_as == "first" or (made_as == "input" and len(entering) >= 4)
    if picture and entering[1] == needed and math.prod(entering[2:]) > 1:
        axes = tuple(range(2, len(entering)))
        new = f"x.mean(dim={axes if len(axes) > 1 else axes[0]})"
        words = "average over the places, as a global pooling does"
        yield from wrap(case, 0, new.replace("x", "{}"), words, lambda x: x.mean(dim=axes), 0.0, "missing-flatten", new)
    if picture or width == needed:
        yield from flatten(case, 0.0 if width == needed or len(entering) > 3 or made_as == "first" else 0.5)
    elif len(entering) >= 4 and made_as not in ("last", "moved"):
        yield from flatten(case, 0.1)
    if made_as == "last" and len(entering) == 3:
        yield from _of_a_sequence(case, entering, needed)
    lost = [axis for axis in range(1, len(entering) - 1) if entering[axis] == needed]
    if len(lost) == 1:
        axis = lost[0] - len(entering)
        new = f"x.transpose({axis}, -1)"
        words = f"bring the {needed} features to the last dimension"
        yield from wrap(
            case, 0, new.replace("x", "{}"), words, lambda x: x.transpose(axis, -1), 0.2, "matmul", new, "transpose"
        )  # fmt: skip


def _of_a_sequence(case: Case, entering: tuple[int, ...], needed: int) -> Iterator[Edit]:
    if entering[1] * entering[2] == needed:
        yield from flatten(case, 0.1)


def _of_rows(case: Case, entering: tuple[int, ...], needed: int) -> Iterator[Edit]:
    yield from batch_edits(case)
    yield from lost_batch(case)
    if len(entering) == 1 and entering[0] == needed:
        return
    yield from other_sizes(case, known_only=True)
    yield from _windows(case)


def _windows(case: Case) -> Iterator[Edit]:
    """Padding or ``ceil_mode`` of one layer before, with which exactly the number that is written comes out."""
    model = case.setup.model
    for call in case.calls[:-1]:
        if not isinstance(model, nn.Module) or call.module not in case.paths.values():
            continue
        layer: Any = model.get_submodule(call.module)
        if isinstance(layer, CONVS) and call.op.startswith("conv"):
            half = tuple(d * (k - 1) // 2 for k, d in zip(layer.kernel_size, layer.dilation, strict=True))
            if any(half) and not isinstance(layer.padding, str) and not any(layer.padding):
                yield from argument(case, call.module, "padding", half, 0.7, "in-features")
        elif "ceil_mode" in arguments(layer):
            yield from argument(case, call.module, "ceil_mode", not layer.ceil_mode, 0.9, "in-features")
