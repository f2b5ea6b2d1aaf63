"""Running a model once under watch, and leaving it as it was."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from shapeproof.capture.guard import Weights, same_randomness, untouched
from shapeproof.capture.recorder import Recorder, hooked
from shapeproof.capture.refusal import about_shapes
from shapeproof.capture.trace import Trace
from shapeproof.dims import Shape


def run(model: Any, args: list[Any], kwargs: dict[str, Any], detailed: bool = False) -> tuple[Trace, set[int]]:
    """Run the model once under watch, and leave it as it was.

    Args:
        model: the module or callable.
        args: pairs of value and shape with letters; the shape is ``None`` for what the user gave as it is.
        kwargs: likewise, by name.
        detailed: whether each call keeps its arguments and its place in the user's code.

    Returns:
        What was seen, and the ids of the modules that were called.

    Raises:
        BaseException: what the model raised, where it has nothing to do with shapes.
    """
    weights = Weights(model)
    recorder = Recorder(model, weights, detailed)
    called: set[int] = set()

    def noting(module: nn.Module, inputs: Any) -> None:
        called.add(id(module))

    noted = nn.modules.module.register_module_forward_pre_hook(noting)
    try:
        with untouched(model), same_randomness(), torch.no_grad(), hooked(recorder):
            positional = [_given(recorder, *pair) for pair in args]
            named = {key: _given(recorder, *pair) for key, pair in kwargs.items()}
            with recorder:
                result = model(*positional, **named)
            recorder.trace.output = _output_shapes(recorder, result)
    except Exception as error:
        recorder.trace.error = error
        if not about_shapes(recorder.trace, error):
            raise
    finally:
        noted.remove()
        weights.put_back()
    return recorder.trace, called


def _given(recorder: Recorder, value: Any, shape: Shape | None) -> Any:
    """An input for the run: a made tensor with its letters, or a copy of the user's, so that theirs stays as it is."""
    if shape is not None:
        recorder.know(value, shape)
        return value
    return tree_map(lambda leaf: leaf.detach().clone() if isinstance(leaf, Tensor) else leaf, value)


def _output_shapes(recorder: Recorder, result: Any) -> Any:
    return tree_map(lambda leaf: recorder.shape_of(leaf) if isinstance(leaf, Tensor) else None, result)
