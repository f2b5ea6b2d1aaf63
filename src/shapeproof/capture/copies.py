"""Copies of a model to run or to edit in its place."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn
from torch.nn.parameter import UninitializedBuffer, is_lazy


def deep_copy(model: Any, memo: dict[int, Any] | None = None) -> Any:
    """A deep copy, of buffers without a size too, which PyTorch does not copy; ``memo`` as for ``copy.deepcopy``."""
    found = model.buffers() if isinstance(model, nn.Module) else ()
    make: Any = UninitializedBuffer  # its stub has other arguments than it takes
    lazy = {id(b): make(device=b.data.device, dtype=b.data.dtype) for b in found if is_lazy(b)}
    return copy.deepcopy(model, {**lazy, **(memo or {})})
