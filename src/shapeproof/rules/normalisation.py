"""Normalisations: the shape stays; the parameters must match the sizes that are normalised."""

from __future__ import annotations

from typing import Any

from shapeproof.dims import product
from shapeproof.rules.registry import Derived, Operand, Violation, require, rule, show


def _same(input: Operand, line: str) -> Derived:
    return Derived(input.shape, "out = in", line)


@rule("batch_norm", page="torch.nn.BatchNorm2d")
def batch_norm(
    input: Operand, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
    training: bool = False, *_: Any, **__: Any,
) -> Derived:  # fmt: skip
    """``(N, C, *)`` stays; in training each channel needs more than one value."""
    if len(input.shape) < 2:
        raise Violation("rank", "at least 2 dimensions (N,C,*)", f"{len(input.shape)}: {show(input.shape)}")
    channels = input.shape[1]
    for parameter in (running_mean, running_var, weight, bias):
        if isinstance(parameter, Operand):
            features = parameter.shape[0]
            words = f"num_features = {features} channels"
            require("==", channels, features, "num-features", words, f"{channels} in {show(input.shape)}")
    if training:
        values = product((input.shape[0], *input.shape[2:]))
        require(">=", values, 2, "one-value", "more than 1 value per channel in training", f"{values}")
    return _same(input, f"{channels} channels, {show(input.shape)}")


@rule("layer_norm", page="torch.nn.LayerNorm")
def layer_norm(input: Operand, normalized_shape: Any, *_: Any, **__: Any) -> Derived:
    """``(*, normalized_shape)`` stays."""
    wanted = tuple(normalized_shape)
    if len(input.shape) < len(wanted):
        raise Violation("num-features", f"last sizes {show(wanted)}", show(input.shape))
    for have, want in zip(input.shape[-len(wanted) :], wanted, strict=True):
        require("==", have, want, "num-features", f"last sizes {show(wanted)}", show(input.shape))
    return _same(input, f"last sizes {show(wanted)}")


@rule("group_norm", page="torch.nn.GroupNorm")
def group_norm(input: Operand, num_groups: int, weight: Any = None, *_: Any, **__: Any) -> Derived:
    """``(N, C, *)`` stays; C is a multiple of the number of groups."""
    if len(input.shape) < 2:
        raise Violation("rank", "at least 2 dimensions (N,C,*)", f"{len(input.shape)}: {show(input.shape)}")
    channels = input.shape[1]
    require("mod", channels, num_groups, "num-features", f"channels a multiple of {num_groups}", f"{channels}")
    if isinstance(weight, Operand):
        wanted = weight.shape[0]
        require("==", channels, wanted, "num-features", f"num_channels = {wanted}", f"{channels}")
    return _same(input, f"{channels} channels in {num_groups} groups")
