"""Another width of the layer from which a tensor comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from shapeproof.diagnosis.case import Case
from shapeproof.diagnosis.edits import Edit
from shapeproof.diagnosis.propose import argument


def upstream_width(case: Case, needed: int, cost: float = 0.9) -> Iterator[Edit]:
    """Another width of the layer from which the tensor comes."""
    names = {"linear": "out_features", "conv": "out_channels", "embedding": "embedding_dim"}
    model = case.setup.model
    made = case.origin(case.fed[0]) if case.fed else None
    if made is None or not isinstance(model, nn.Module) or made.module not in case.paths.values():
        return
    layer: Any = model.get_submodule(made.module)
    name = next((name for op, name in names.items() if made.op.startswith(op) and hasattr(layer, name)), None)
    if name is None or isinstance(layer, nn.Sequential):
        return
    if made.op == "embedding" and layer.padding_idx is not None and layer.padding_idx < 0:
        return
    groups = getattr(layer, "groups", 1)
    if needed % groups == 0:
        yield from argument(case, made.module, name, needed, cost)
