"""Recurrent layers: ``input_size``, the order of batch and time, the hidden state."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_map

from shapeproof.diagnosis.case import Case
from shapeproof.diagnosis.edits import Edit, Setup
from shapeproof.diagnosis.inputs import unsqueezed
from shapeproof.diagnosis.propose import argument, expression, input_edit, wrap
from shapeproof.diagnosis.source import resolved, written
from shapeproof.diagnosis.states import sizes_written
from shapeproof.diagnosis.width import upstream_width


def find(case: Case) -> Iterator[Edit]:
    """Edits for a recurrent layer that refuses its input or its states."""
    layer = case.owner
    if isinstance(layer, nn.RNNCellBase):
        yield from _cell(case, layer)
    if not isinstance(layer, nn.RNNBase):
        return
    value, state = case.layer_local("input"), case.layer_local("hx")
    if not isinstance(value, Tensor):
        return
    shape = _shape(case, layer, value)
    if value.dim() not in (2, 3):
        yield from _other_rank(case, layer, shape)
    elif shape[-1] != layer.input_size:
        yield from _input_size(case, layer, shape)
    else:
        yield from _states(case, layer, value, state)


def _shape(case: Case, layer: nn.RNNBase, value: Tensor) -> tuple[int, ...]:
    """The input's shape as it was passed: the layer itself gives one sequence alone a batch."""
    shape = list(value.shape)
    if case.layer_local("is_batched") is False and len(shape) == 3:
        del shape[0 if layer.batch_first else 1]
    return tuple(shape)


def terms(case: Case) -> tuple[str, str, str] | None:
    """Code, what the layer expects and what came, in its own terms."""
    layer, value = case.owner, case.layer_local("input")
    if not isinstance(layer, (nn.RNNBase, nn.RNNCellBase)) or not isinstance(value, Tensor):
        return None
    shape = _shape(case, layer, value) if isinstance(layer, nn.RNNBase) else tuple(value.shape)
    if value.dim() not in ((2, 3) if isinstance(layer, nn.RNNBase) else (1, 2)):
        return "rank", f"{_layout(layer)}", f"{value.dim()} dimensions: {shape}"
    if shape[-1] != layer.input_size:
        return "hidden-size", f"input_size = {layer.input_size}", f"{shape[-1]} (the last size of {shape})"
    wanted = _wanted(layer, value) if isinstance(layer, nn.RNNBase) else (shape[0], layer.hidden_size)
    came = [tuple(t.shape) for t in tree_flatten(case.layer_local("hx"))[0] if isinstance(t, Tensor)]
    return "hidden-size", f"a hidden state of {wanted}", " and ".join(map(str, dict.fromkeys(came))) or str(shape)


def _layout(layer: Any) -> str:
    if isinstance(layer, nn.RNNCellBase):
        return "(N, H_in)"
    return "(N, L, H_in), since batch_first=True" if layer.batch_first else "(L, N, H_in)"


def _wanted(layer: nn.RNNBase, value: Tensor) -> tuple[int, ...]:
    directions = layer.num_layers * (2 if layer.bidirectional else 1)
    hidden = layer.proj_size or layer.hidden_size
    if value.dim() == 2:
        return (directions, hidden)
    return (directions, value.shape[0 if layer.batch_first else 1], hidden)


def _other_rank(case: Case, layer: nn.RNNBase, shape: tuple[int, ...]) -> Iterator[Edit]:
    place = _place(case, shape)
    if len(shape) == 4:
        ones = [axis for axis in (1, 2, 3) if shape[axis] == 1]
        for axis in ones[:1]:
            call = f"x.squeeze({axis})"
            if place is not None:
                yield input_edit(
                    case, place, "rank", f"one dimension less, {call}", partial(torch.squeeze, dim=axis), 0.1, "rank"
                )
            else:
                words = "take out the dimension of 1"
                yield from wrap(case, 0, "{}" + call[1:], words, partial(torch.squeeze, dim=axis), 0.1, "rank", call)
        if shape[1] * shape[2] == layer.input_size:
            columns = "x.flatten(1, 2).transpose(1, 2)"
            words = "make each column of the maps one step, channels and rows its features"
            yield from wrap(
                case, 0, "{}" + columns[1:], words, lambda x: x.flatten(1, 2).transpose(1, 2), 0.0, "rank", columns
            )
        words = "make each place of the maps one step, its channels the features"
        new = "x.flatten(2).transpose(1, 2)"
        yield from wrap(case, 0, "{}" + new[1:], words, lambda x: x.flatten(2).transpose(1, 2), 0.3, "rank", new)


def _place(case: Case, shape: tuple[int, ...]) -> int | str | None:
    return next((place for place, value in case.inputs() if tuple(value.shape) == shape), None)


def _input_size(case: Case, layer: nn.RNNBase, shape: tuple[int, ...]) -> Iterator[Edit]:
    if len(shape) == 3 and layer.input_size in shape[:2] and shape.count(layer.input_size) == 1:
        other = shape.index(layer.input_size)
        order = (0, 2, 1) if other == 1 else (1, 2, 0)
        listed = ", ".join(map(str, order))
        place = _place(case, shape)
        if place is not None:
            call = f"its features last, x.permute({listed})"
            yield input_edit(case, place, "layout", call, lambda x: x.permute(order), 0.0, "hidden-size")
        else:
            words = "put the features last, where a recurrent layer looks for them"
            new = f"x.permute({listed})"
            yield from wrap(
                case, 0, "{}" + new[1:], words, lambda x: x.permute(order), 0.0, "hidden-size", new, "layout"
            )
    yield from argument(case, case.path, "input_size", shape[-1], 0.1, "hidden-size")
    if layer.input_size == 1 and len(shape) == 2:
        words = "give each step its one feature"
        yield from wrap(
            case, 0, "{}.unsqueeze(-1)", words, lambda x: x.unsqueeze(-1), 0.0, "hidden-size", "x.unsqueeze(-1)"
        )
    if case.fed:
        yield from upstream_width(case, layer.input_size)


def _states(case: Case, layer: nn.RNNBase, value: Tensor, state: Any) -> Iterator[Edit]:
    """Hidden states of another shape: the order of batch and time, the number of layers, the batch of the states."""
    wanted = _wanted(layer, value)
    states = [t for t in tree_flatten(state)[0] if isinstance(t, Tensor)]
    if not states:
        return
    came = tuple(states[0].shape)
    if value.dim() == 3 and len(came) == 3 and came[1] != wanted[1]:
        turned = value.shape[1 if layer.batch_first else 0]
        if came[1] == turned:
            # who wrote batch_first=True meant it
            cost = 1.0 if layer.batch_first else 0.0
            yield from argument(case, case.path, "batch_first", not layer.batch_first, cost, "hidden-size")
    if len(came) == len(wanted) and came[-1] != wanted[-1]:
        yield from argument(case, case.path, "hidden_size", came[-1], 0.4, "hidden-size")
    yield from sizes_written(case, wanted, came)
    yield from _given_states(case, wanted, came)
    yield from _without(case)


def _given_states(case: Case, wanted: tuple[int, ...], came: tuple[int, ...]) -> Iterator[Edit]:
    """States that are inputs of the model."""
    leaves = tree_flatten((case.setup.args, case.setup.kwargs))[0]
    if not any(isinstance(leaf, Tensor) and tuple(leaf.shape) == came for leaf in leaves) or came == wanted:
        return

    def apply(setup: Setup) -> None:
        def fitted(leaf: Any) -> Any:
            return leaf.new_zeros(wanted) if isinstance(leaf, Tensor) and tuple(leaf.shape) == came else leaf

        setup.args, setup.kwargs = tree_map(fitted, (setup.args, setup.kwargs))

    text = f"Where the model is called, give it hidden states of {wanted} instead of {came}."
    yield Edit("input", "", "hidden state", came, wanted, text, apply, 0.2, "hidden-size")


def _cell(case: Case, layer: Any) -> Iterator[Edit]:
    value = case.layer_local("input")
    if not isinstance(value, Tensor):
        return
    if value.dim() == 3:
        place = _place(case, tuple(value.shape))
        words = "take the last step: a cell takes one"
        yield from wrap(case, 0, "{}[:, -1]", words, lambda x: x[:, -1], 0.4, "rank", "x[:, -1]")
        if place is not None:
            yield unsqueezed(case, place, 0, 3.0)
    elif value.shape[-1] != layer.input_size:
        yield from argument(case, case.path, "input_size", value.shape[-1], 0.1, "hidden-size")
        yield from upstream_width(case, layer.input_size)


def _without(case: Case) -> Iterator[Edit]:
    """The call without states: zeros of the right shape are then made by the layer."""
    node = case.node
    if (
        isinstance(node, ast.Call)
        and len(node.args) == 2
        and case.user
        and resolved(node.func, case.names) is case.owner
    ):
        new = f"{written(node.func, case.text)}({written(node.args[0], case.text)})"
        words = "leave the states out; the layer begins with zeros that fit"
        yield expression(case, case.spot, node, new, words, "call", new, 0.9, "hidden-size", "hx")
