"""Edits of a model or of its input, applied to copies only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from shapeproof.capture.shadow import light_copy

CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
BATCH_NORMS = nn.modules.batchnorm._BatchNorm


@dataclass
class Setup:
    """A model and what it is called with; positional inputs may be replaced."""

    model: Any
    args: list[Any]
    kwargs: dict[str, Any]

    def copied(self) -> Setup:
        """A deep copy, of the model too, so that nothing of the user's is shared."""
        args, kwargs = tree_map(
            lambda leaf: leaf.detach().clone() if isinstance(leaf, Tensor) else leaf, (self.args, self.kwargs)
        )
        return Setup(light_copy(self.model), args, kwargs)


@dataclass(frozen=True)
class Edit:
    """One candidate: what a :class:`~shapeproof.derivation.model.Fix` says, and how to do it to a copy."""

    kind: str
    module: str
    attribute: str
    old: Any
    new: Any
    text: str
    apply: Callable[[Setup], None]


def resize(path: str, attribute: str, new: Any) -> Callable[[Setup], None]:
    """Give the module at ``path`` another size, with fresh weights that fit it."""

    def apply(setup: Setup) -> None:
        module = setup.model.get_submodule(path)
        if isinstance(module, nn.RNNBase):
            return _rebuild_recurrent(setup.model, path, module, new)
        if isinstance(module, nn.MultiheadAttention):
            return _rebuild_attention(setup.model, path, module, new)
        if attribute == "normalized_shape":
            _fresh(module, weight=tuple(new), bias=tuple(new))
        elif attribute in ("num_features", "num_channels"):
            _fresh(module, weight=(new,), bias=(new,), running_mean=(new,), running_var=(new,))
        elif attribute == "in_features":
            _fresh(module, weight=(module.out_features, new))
        elif attribute == "in_channels":
            _fresh(module, weight=(module.out_channels, new // module.groups, *module.kernel_size))
        elif attribute == "out_channels":
            _fresh(module, weight=(new, *module.weight.shape[1:]), bias=(new,))
        elif attribute == "padding":
            module._reversed_padding_repeated_twice = [p for p in reversed(new) for _ in range(2)]
        setattr(module, attribute, new)
        return None

    return apply


def _fresh(module: nn.Module, **shapes: tuple[int, ...]) -> None:
    """Replace those of the named parameters and buffers that the module has."""
    for name, shape in shapes.items():
        old = getattr(module, name, None)
        if isinstance(old, nn.Parameter):
            setattr(module, name, nn.Parameter(old.new_ones(shape), requires_grad=old.requires_grad))
        elif isinstance(old, Tensor):
            setattr(module, name, old.new_ones(shape))


def _rebuild_recurrent(model: Any, path: str, old: Any, input_size: int) -> None:
    first = next(old.parameters())
    kind: Any = type(old)
    named = {
        "num_layers": old.num_layers,
        "bias": old.bias,
        "batch_first": old.batch_first,
        "dropout": old.dropout,
        "bidirectional": old.bidirectional,
    }
    new = kind(input_size, old.hidden_size, **named).to(first.device, first.dtype).train(old.training)
    model.set_submodule(path, new) if path else None


def _rebuild_attention(model: Any, path: str, old: nn.MultiheadAttention, embed_dim: int) -> None:
    first = next(old.parameters())
    bias = old.in_proj_bias is not None
    new = nn.MultiheadAttention(embed_dim, old.num_heads, old.dropout, bias=bias, batch_first=old.batch_first)
    model.set_submodule(path, new.to(first.device, first.dtype).train(old.training)) if path else None


def flatten_before(path: str) -> Callable[[Setup], None]:
    """Flatten what goes into a module, all but the batch."""

    def apply(setup: Setup) -> None:
        setup.model.get_submodule(path).register_forward_pre_hook(
            lambda _, inputs: (torch.flatten(inputs[0], 1), *inputs[1:])
        )

    return apply


def change_input(change: Callable[[Tensor], Tensor]) -> Callable[[Setup], None]:
    """Change the first input, as the caller of the model would."""

    def apply(setup: Setup) -> None:
        setup.args[0] = change(setup.args[0])

    return apply
