"""Edits of one call in the user's forward: the line is written otherwise while a copy of the model runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from shapeproof.capture.naming import public_name
from shapeproof.capture.source import source_line
from shapeproof.derivation.model import Step
from shapeproof.diagnosis.edits import Edit, Setup
from shapeproof.rules.registry import show

Change = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]


class _Rewritten(TorchFunctionMode):
    """Answers every call of one operation on one line by another."""

    def __init__(self, op: str, source: str, change: Change) -> None:
        super().__init__()
        self._op, self._source, self._change = op, source, change

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if public_name(func)[0] == self._op and source_line(sys._getframe(1)) == self._source:
            return self._change(func, args, kwargs)
        return func(*args, **kwargs)


def rewritten(step: Step, attribute: str, old: Any, new: Any, text: str, change: Change) -> Edit:
    """An edit of the line on which ``step`` ran."""

    def apply(setup: Setup) -> None:
        model = setup.model
        inner = model.forward if isinstance(model, nn.Module) else model

        def forward(*args: Any, **kwargs: Any) -> Any:
            with _Rewritten(step.op, step.source, change):
                return inner(*args, **kwargs)

        if isinstance(model, nn.Module):
            model.forward = forward
        else:
            setup.model = forward

    where = f"At {step.source}, " if step.source else ""
    text = text if where else text[0].upper() + text[1:]
    return Edit("call", step.module, attribute, old, new, where + text, apply)


def flattened(step: Step) -> Edit:
    """A view with sizes that do not fit, written as a flatten that keeps the batch."""
    text = f"write torch.flatten(x, 1) instead of {step.op} with fixed sizes: the sizes then follow what comes."
    return rewritten(
        step, step.op, step.op, "torch.flatten(x, 1)", text, lambda func, args, kwargs: torch.flatten(args[0], 1)
    )


def joined_along(step: Step) -> list[Edit]:
    """A concatenation along the one dimension in which the tensors differ."""
    shapes = [tuple(map(int, shape)) for shape in step.inputs]
    if step.op not in ("cat", "concat", "concatenate") or len({len(shape) for shape in shapes}) != 1:
        return []
    differ = [place for place, sizes in enumerate(zip(*shapes, strict=True)) if len(set(sizes)) > 1]
    if len(differ) != 1:
        return []
    dim = differ[0]
    text = f"concatenate along dim={dim}, the only dimension in which {' and '.join(map(show, shapes))} differ."

    def change(func: Any, args: Any, kwargs: Any) -> Any:
        return func(args[0] if args else kwargs["tensors"], dim=dim)

    return [rewritten(step, "dim", None, dim, text, change)]


def transposed(step: Step) -> list[Edit]:
    """A product of matrices with the second transposed, where its last size is the one that is needed."""
    a, b = (tuple(map(int, shape)) for shape in step.inputs[:2])
    if len(a) < 1 or len(b) < 2 or a[-1] != b[-1]:
        return []
    text = f"transpose the second matrix, b.transpose(-2, -1): {show(a)} @ {show(b)} share their last size, {a[-1]}."

    def change(func: Any, args: Any, kwargs: Any) -> Any:
        return func(args[0], args[1].transpose(-2, -1), *args[2:], **kwargs)

    return [rewritten(step, "transpose", "b", "b.transpose(-2, -1)", text, change)]
