"""Inputs for a run: tensors made from specs, and how an input is told."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from shapeproof.capture.spec import InputSpec
from shapeproof.dims import Shape
from shapeproof.errors import UsageError
from shapeproof.rules.registry import show

LARGEST = 2**27  # elements; a larger input is made without values, and the model run on shapes alone


def told(value: Any) -> str:
    """An input as text: a spec as it is, a tensor by its shape."""
    if isinstance(value, str):
        return value
    shapes = tree_map(lambda leaf: show(tuple(leaf.shape)) if isinstance(leaf, Tensor) else leaf, value)
    return str(shapes)


def tensor_for(spec: InputSpec, sizes: dict[str, int], keep: frozenset[str], model: Any) -> tuple[Tensor, Shape]:
    """A tensor for a spec, on the model's device, and its shape with the letters that stay free."""
    entries = spec.shape(sizes)
    shape = tuple(size if entry.name in keep else int(size) for entry, size in zip(spec.entries, entries, strict=True))
    first = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    dtype: torch.dtype = getattr(torch, spec.dtype)
    numbers = tuple(map(int, shape))
    if (first is not None and first.device.type == "meta") or math.prod(numbers) > LARGEST:
        return torch.empty(numbers, dtype=dtype, device="meta"), shape
    if dtype.is_floating_point or dtype.is_complex:
        # values in general position, the same every time: a matrix of ones, say, could not be inverted
        value = torch.rand(numbers, generator=torch.Generator().manual_seed(0), dtype=dtype, device="cpu")
    else:
        value = torch.zeros(numbers, dtype=dtype, device="cpu")
    return value if first is None else value.to(first.device), shape


def likely(model: Any) -> str:
    """A spec for the first layer that has weights: its channels or features.

    Raises:
        UsageError: if there is no such layer.
    """
    for module in model.modules() if isinstance(model, nn.Module) else ():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            places = {1: "L", 2: "H,W", 3: "D,H,W"}[len(module.kernel_size)]
            return f"N,{module.in_channels},{places}"
        if isinstance(module, nn.Linear):
            return f"N,{module.in_features}"
        if isinstance(module, nn.Embedding):
            return "int64[N,T]"
    raise UsageError("give the input's shape, such as --input N,1,28,28")
