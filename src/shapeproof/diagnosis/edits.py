"""Edits of a model, of its inputs or of its source, applied to copies only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from shapeproof.capture.copies import deep_copy
from shapeproof.capture.trace import Manner
from shapeproof.diagnosis.rebuild import rebuilt
from shapeproof.diagnosis.source import Change, Sources, Spot
from shapeproof.records import dataclass

Apply = Callable[["Setup"], None]


@dataclass()
class Setup:
    """A model and what it is called with, and the user's files; each may be edited in a copy.

    ``manner`` tells how the model was run before, as for :func:`~shapeproof.capture.run.run`.
    """

    model: Any
    args: list[Any]
    kwargs: dict[str, Any]
    manner: Manner | None = None
    sources: Sources = field(default_factory=Sources)

    def copied(self) -> Setup:
        """A copy that may be edited. Parameters are shared: an edit replaces one, and a run writes into none."""
        shared = {id(p): p for p in self.model.parameters()} if isinstance(self.model, nn.Module) else {}
        args, kwargs = tree_map(
            lambda leaf: leaf.detach().clone() if isinstance(leaf, Tensor) else leaf, (self.args, self.kwargs)
        )
        return Setup(deep_copy(self.model, shared), list(args), kwargs, self.manner, self.sources.copied())

    def tensors(self) -> Iterator[tuple[int | str, Tensor]]:
        """The tensors among the inputs, each with its place."""
        places: list[int | str] = [*range(len(self.args)), *self.kwargs]
        for place, value in zip(places, (*self.args, *self.kwargs.values()), strict=True):
            if isinstance(value, Tensor):
                yield place, value

    def first(self) -> tuple[int | str, Tensor] | None:
        """Where the first tensor among the inputs stands, and the tensor."""
        return next(self.tensors(), None)


@dataclass(frozen=True)
class Edit:
    """One candidate: what a :class:`~shapeproof.derivation.model.Fix` says, and how to do it to a copy.

    Attributes:
        cost: how far it is from what people mean; 0 is nearest, 1 weighs as much as another edit besides.
        code: the diagnosis that it stands for; ``""`` for that of the failed condition.
        source: ``file:line`` of the place to edit.
    """

    kind: str
    module: str
    attribute: str
    old: Any
    new: Any
    text: str
    apply: Apply
    cost: float = 0.0
    code: str = ""
    source: str = ""


def together(*steps: Apply | None) -> Apply:
    """Several ways to apply, one after another."""

    def apply(setup: Setup) -> None:
        for step in steps:
            if step is not None:
                step(setup)

    return apply


def module_changed(path: str, changes: dict[str, Any]) -> Apply:
    """Construct the layer at ``path`` again with these arguments."""

    def apply(setup: Setup) -> None:
        hollow = bool(setup.manner and setup.manner.alone)  # run on shapes alone: no weights need be drawn
        put(setup, path, rebuilt(setup.model.get_submodule(path), changes, hollow))

    return apply


def put(setup: Setup, path: str, module: nn.Module) -> None:
    """Put a module where another one is, at every path under which that one is known."""
    old = setup.model.get_submodule(path)
    if not path:
        setup.model = module
    for other, found in list(setup.model.named_modules(remove_duplicate=False)):
        if found is old and other:
            setup.model.set_submodule(other, module)


def input_changed(place: int | str, change: Callable[[Any], Any]) -> Apply:
    """Change one input, as the caller of the model would."""

    def apply(setup: Setup) -> None:
        held: Any = setup.args if isinstance(place, int) else setup.kwargs
        held[place] = change(held[place])

    return apply


def source_changed(spot: Spot | None, *changes: Change) -> Apply:
    """Edit the user's files; with a spot, its function then runs as edited.

    Raises:
        ValueError: if that function cannot be run edited.
    """

    def apply(setup: Setup) -> None:
        if spot is not None and not setup.sources.touch(spot):
            raise ValueError("the function's source is not to be had")
        setup.sources.change(*changes)

    return apply


def noted(*changes: Change | None) -> Apply:
    """Edit the source as an edit of the model says; ``None`` for a place that is not plain."""

    def apply(setup: Setup) -> None:
        for change in changes:
            setup.sources.note(change)

    return apply


def before_module(path: str, change: Callable[[Tensor], Tensor]) -> Apply:
    """Change what goes into a module first."""

    def apply(setup: Setup) -> None:
        setup.sources.incomplete = True
        setup.model.get_submodule(path).register_forward_pre_hook(lambda _, inputs: (change(inputs[0]), *inputs[1:]))

    return apply


def after_module(path: str, change: Callable[[Tensor], Tensor]) -> Apply:
    """Change what comes out of a module."""

    def apply(setup: Setup) -> None:
        setup.model.get_submodule(path).register_forward_hook(lambda _, __, output: change(output))

    return apply


def resized(value: Tensor, axes: dict[int, int]) -> Tensor:
    """A tensor like this one with other sizes along some axes."""
    shape = list(value.shape)
    for axis, size in axes.items():
        shape[axis] = size
    if not value.is_floating_point():
        return torch.zeros(shape, dtype=value.dtype, device=value.device)
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(value)
