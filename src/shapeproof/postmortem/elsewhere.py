"""Shape errors outside of the forward pass: no call is derived again there, but the sizes themselves tell the cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from shapeproof.postmortem.frames import Moment
from shapeproof.rules.registry import show

MOST_LISTED = 8


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


def in_loading(stack: list[Moment]) -> str:
    """A word on ``load_state_dict`` of weights that have other sizes than the model; ``""`` for anything else."""
    for moment in stack:
        held = moment.frame.f_locals
        if not (moment.torchs and moment.code.co_name == "load_state_dict" and isinstance(held.get("self"), nn.Module)):
            continue
        differing = list(_differing(held["self"], held.get("state_dict")))
        if differing:
            more = len(differing) - MOST_LISTED
            lines = [*differing[:MOST_LISTED], *([f"and {more} more"] if more > 0 else [])]
            told = "\n".join(f"  {line}" for line in lines)
            return (
                f"load_state_dict: these weights were saved from a model of other sizes\n{told}\n"
                "Make the model with the arguments that it was saved with, or leave these entries out of the "
                "dictionary and load it with strict=False"
            )
    return ""


def _differing(model: nn.Module, saved: Any) -> Iterator[str]:
    mine = model.state_dict()
    for name, value in saved.items() if isinstance(saved, Mapping) else ():
        own = mine.get(name)
        if isinstance(value, Tensor) and isinstance(own, Tensor) and own.shape != value.shape:
            yield f"{name}: the model has {show(tuple(own.shape))}, the file {show(tuple(value.shape))}"
