"""PyTorch's layers constructed again with some arguments changed."""

from __future__ import annotations

import inspect
from typing import Any

from torch import nn

CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
BATCH_NORMS = nn.modules.batchnorm._NormBase


def torch_class(module: Any) -> type[nn.Module] | None:
    """The class of PyTorch's own that a layer is, or is derived from."""
    for kind in type(module).__mro__:
        if kind.__module__.startswith("torch.nn.modules") and kind is not nn.Module:
            return kind
    return None


def names(kind: type[nn.Module]) -> list[str]:
    """The names of a layer's constructor arguments, in order."""
    if issubclass(kind, nn.RNNBase):  # these take *args: their documented ones
        found = "input_size hidden_size num_layers bias batch_first dropout bidirectional".split()
        return found if kind is not nn.RNN else [*found[:3], "nonlinearity", *found[3:]]
    return [name for name in inspect.signature(kind).parameters if name not in ("device", "dtype")]


def arguments(module: nn.Module) -> dict[str, Any]:
    """The arguments with which a layer of PyTorch's is constructed, as far as the layer keeps them."""
    kind = torch_class(module)
    found = {name: getattr(module, name) for name in names(kind) if hasattr(module, name)} if kind else {}
    if "bias" in found and not isinstance(found["bias"], bool):
        found["bias"] = found["bias"] is not None
    if isinstance(module, nn.MultiheadAttention):
        found |= {"bias": module.in_proj_bias is not None, "add_bias_kv": module.bias_k is not None}
        if module._qkv_same_embed_dim:
            del found["kdim"], found["vdim"]  # they follow embed_dim
    if isinstance(module, nn.RNNBase) and module.proj_size:
        found["proj_size"] = module.proj_size
    return found


def rebuilt(module: nn.Module, changes: dict[str, Any], hollow: bool = False) -> nn.Module:
    """The layer constructed again with fresh weights, on the same device, of the same dtype and in the same mode.

    With ``hollow``, the weights have shapes alone.

    Raises:
        ValueError: if it is no layer of PyTorch's, or the layer refuses these arguments.
    """
    kind = torch_class(module)
    if kind is None:
        raise ValueError(f"{type(module).__name__} is no layer of PyTorch's")
    first = next(module.parameters(), None)
    device = {} if first is None else {"device": "meta" if hollow else first.device}
    new = kind(**{**arguments(module), **changes, **device})
    new = new if first is None or not first.is_floating_point() else new.to(first.dtype)
    for hooks in ("_forward_pre_hooks", "_forward_hooks"):
        new.__dict__[hooks] = module.__dict__[hooks]
    return new.train(module.training)
