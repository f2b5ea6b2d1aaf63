"""Errors of the backward pass that sizes explain; no call can be derived again there, but the sizes can be told."""

from __future__ import annotations

from torch import Tensor

from shapeproof.postmortem.frames import Moment
from shapeproof.rules.registry import show


def in_backward(stack: list[Moment]) -> str:
    """A word on ``loss.backward()`` of something that is no single number; ``""`` for anything else."""
    for moment in stack:
        held = moment.frame.f_locals
        if not (moment.torchs and moment.code.co_name == "backward" and moment.file.endswith("_tensor.py")):
            continue
        loss, gradient = held.get("self"), held.get("gradient")
        if isinstance(loss, Tensor) and loss.numel() != 1 and gradient is None:
            return _not_one_number(loss)
        if isinstance(loss, Tensor) and isinstance(gradient, Tensor) and gradient.shape != loss.shape:
            sizes = f"{show(tuple(gradient.shape))}, and what it is the gradient of {show(tuple(loss.shape))}"
            return f"backward: the gradient that is given has the shape {sizes}; give one of the same shape"
    return ""


def _not_one_number(loss: Tensor) -> str:
    shape = show(tuple(loss.shape))
    return (
        f"backward: backward() starts from one number, and the loss has the shape {shape}, {loss.numel()} numbers. "
        "Take .mean() or .sum() of it first; a loss made with reduction='none' gives one number for each sample. "
        "The forward pass has run: its shapes fit"
    )
