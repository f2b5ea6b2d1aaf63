"""What torchvision's detection networks call of its own operators: choosing boxes, and reading maps inside of boxes."""

from __future__ import annotations

from typing import Any

from shapeproof.rules.registry import COUNTED, Derived, Operand, Violation, becomes, require, rule, show


def _boxes(boxes: Operand, numbers: int) -> int:
    """How many boxes. Raises :class:`Violation` where each is not of so many numbers."""
    if len(boxes.shape) != 2:
        raise Violation("rank", f"boxes of shape (K, {numbers})", show(boxes.shape))
    require("==", boxes.shape[1], numbers, "broadcast", f"boxes of shape (K, {numbers})", show(boxes.shape))
    return boxes.shape[0]


@rule("nms", page="torchvision.ops.nms")
def nms(dets: Operand, scores: Operand, iou_threshold: float) -> Derived:
    """The places of the boxes ``(N, 4)`` that are kept: how many they are, the values decide."""
    count = _boxes(dets, 4)
    if len(scores.shape) != 1:
        raise Violation("rank", "one score for each box", show(scores.shape))
    require("==", scores.shape[0], count, "broadcast", f"{count} scores", show(scores.shape))
    return becomes(dets, (COUNTED,), "(number kept)")


@rule("roi_align", page="torchvision.ops.roi_align")
def roi_align(
    input: Operand, rois: Operand, spatial_scale: float, pooled_height: int, pooled_width: int, *_: Any, **__: Any
) -> Derived:
    """``(N, C, H, W)`` read inside of boxes ``(K, 5)``: ``(K, C, pooled_height, pooled_width)``.

    Sampling is no matrix product: like ``grid_sample`` and pooling it counts no multiply-adds.
    """
    if len(input.shape) != 4:
        raise Violation("rank", "4 dimensions (N,C,H,W)", show(input.shape))
    shape = (_boxes(rois, 5), input.shape[1], pooled_height, pooled_width)
    return becomes(input, shape, "(N, C, H, W), (K, 5) -> (K, C, h, w)")


@rule("roi_pool", page="torchvision.ops.roi_pool")
def roi_pool(
    input: Operand, rois: Operand, spatial_scale: float, pooled_height: int, pooled_width: int
) -> Derived:  # fmt: skip
    """As ``roi_align``, with the place of each largest element beside it."""
    found = roi_align(input, rois, spatial_scale, pooled_height, pooled_width)
    return Derived((found.shape, found.shape), found.formula, found.arithmetic)
