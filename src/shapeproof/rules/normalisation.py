"""Normalisations: the shape stays; the parameters must match the sizes that are normalised."""

from __future__ import annotations

from typing import Any

from shapeproof.dims import exact_div, product
from shapeproof.dims.conditions import decide
from shapeproof.rules.registry import Derived, Operand, Violation, require, require_shape, rule, show, unchanged


@rule("batch_norm", page="torch.nn.BatchNorm2d")
def batch_norm(
    input: Operand, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
    training: bool = False, *_: Any, **__: Any,
) -> Derived:  # fmt: skip
    """``(N, C, *)`` stays; in training each channel needs more than one value."""
    if len(input.shape) == 1 and int(input.shape[0]) == 0:
        return unchanged(input)  # PyTorch lets a list of nothing through
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
        if not decide("==", values, 0):  # PyTorch lets nothing through
            require(">=", values, 2, "one-value", "more than 1 value per channel in training", f"{values}")
    return unchanged(input, f"{channels} channels, {show(input.shape)}")


@rule("layer_norm", "rms_norm", page="torch.nn.LayerNorm")
def layer_norm(input: Operand, normalized_shape: Any, *parameters: Any, **named: Any) -> Derived:
    """``(*, normalized_shape)`` stays; weight and bias have that shape too."""
    wanted = tuple(normalized_shape)
    words = f"last sizes {show(wanted)}"
    if len(input.shape) < len(wanted) or not wanted:
        raise Violation("num-features", words, show(input.shape))
    require_shape(input.shape[-len(wanted) :], wanted, "num-features", words, show(input.shape))
    for parameter in (*parameters, named.get("weight"), named.get("bias")):
        if isinstance(parameter, Operand):
            require_shape(parameter.shape, wanted, "num-features", f"parameters of shape {show(wanted)}")
    return unchanged(input, words)


@rule("group_norm", page="torch.nn.GroupNorm")
def group_norm(input: Operand, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Derived:
    """``(N, C, *)`` stays; C is a multiple of the number of groups, each of which needs more than one value."""
    if len(input.shape) < 2:
        raise Violation("rank", "at least 2 dimensions (N,C,*)", f"{len(input.shape)}: {show(input.shape)}")
    channels = input.shape[1]
    words = _in_groups(channels, num_groups, (weight, bias))
    values = product((input.shape[0], exact_div(channels, num_groups), *input.shape[2:]))
    if not decide("==", values, 0):
        require(">=", values, 2, "one-value", "more than 1 value per group", f"{values}")
    return unchanged(input, words)


def _in_groups(channels: int, num_groups: int, parameters: tuple[Any, ...]) -> str:
    """Channels that are shared out among groups, with a number of each parameter for every channel."""
    require(">=", num_groups, 1, "argument", "at least 1 group", f"{num_groups}")
    require("mod", channels, num_groups, "num-features", f"channels a multiple of {num_groups}", f"{channels}")
    _channel_parameters(parameters, channels)
    return f"{channels} channels in {num_groups} groups"


def _channel_parameters(parameters: tuple[Any, ...], channels: int) -> None:
    """One number for each channel, in a list."""
    for parameter in parameters:
        if isinstance(parameter, Operand):
            if len(parameter.shape) != 1:
                raise Violation("num-features", f"one number for each of {channels} channels", show(parameter.shape))
            wanted = parameter.shape[0]
            require("==", channels, wanted, "num-features", f"num_channels = {wanted}", f"{channels}")


@rule("instance_norm", page="torch.nn.InstanceNorm2d")
def instance_norm(
    input: Operand, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
    use_input_stats: bool = True, *_: Any, **__: Any,
) -> Derived:  # fmt: skip
    """``(N, C, *)`` stays; each channel of each sample needs more than one value."""
    if len(input.shape) < 2:
        raise Violation("rank", "at least 2 dimensions (N,C,*)", f"{len(input.shape)}: {show(input.shape)}")
    channels = input.shape[1]
    if not decide("==", channels, 0):  # PyTorch does not look at the numbers of no channels
        _channel_parameters((running_mean, running_var, weight, bias), channels)
    if use_input_stats:
        values = product(input.shape[2:])
        if not decide("==", values, 0):
            require(">=", values, 2, "one-value", "more than 1 value per channel", f"{values}")
    return unchanged(input, f"{channels} channels, {show(input.shape)}")


@rule("local_response_norm", page="torch.nn.functional.local_response_norm")
def local_response_norm(input: Operand, size: int, *_: Any, **__: Any) -> Derived:
    """Divided by a sum over neighbouring channels; the shape stays."""
    if len(input.shape) < 3:
        raise Violation("rank", "at least 3 dimensions (N,C,*)", f"{len(input.shape)}: {show(input.shape)}")
    return unchanged(input)


@rule("native_layer_norm", page="torch.nn.LayerNorm")
def native_layer_norm(input: Operand, normalized_shape: Any, weight: Any, bias: Any, eps: float) -> Derived:
    """As ``layer_norm``, and the mean and inverse spread of each row, where the normalised sizes are 1."""
    kept = len(input.shape) - len(tuple(normalized_shape))
    found = layer_norm(input, normalized_shape, weight, bias)
    each = (*input.shape[:kept], *(1 for _ in input.shape[kept:]))
    return Derived((found.shape, each, each), "out, mean, 1/spread", found.arithmetic)


@rule("native_group_norm", page="torch.nn.GroupNorm")
def native_group_norm(
    input: Operand, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float  # noqa: N803
) -> Derived:  # fmt: skip
    """As ``group_norm``, whatever the input's sizes that hold so many elements; and each group's mean and 1/spread."""
    require(
        "==", product(input.shape), N * C * HxW, "argument", f"{N * C * HxW} elements: N * C * HxW", show(input.shape)
    )
    words = _in_groups(C, group, (weight, bias))
    return Derived((input.shape, (N, group), (N, group)), "out, mean, 1/spread", words)


@rule("native_batch_norm", page="torch.nn.BatchNorm2d")
def native_batch_norm(
    input: Operand, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, *_: Any
) -> Derived:
    """As ``batch_norm``, and in training the mean and inverse spread of each channel."""
    found = batch_norm(input, running_mean, running_var, weight, bias)
    each = (input.shape[1],) if training else (0,)
    return Derived((found.shape, each, each), "out, mean, 1/spread", found.arithmetic)
