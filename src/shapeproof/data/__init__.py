"""Data sets: where they lie, how they are fetched, and how they are read into tensors.

``load("auto")`` is the one call that a trainer needs. Importing this package loads no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapeproof.data.dataset import DataSet as DataSet
    from shapeproof.data.loading import load as load

_EXPORTS = {"DataSet": "shapeproof.data.dataset", "load": "shapeproof.data.loading"}

__all__ = ["DataSet", "load"]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'shapeproof.data' has no attribute {name!r}")
    return getattr(importlib.import_module(_EXPORTS[name]), name)
