"""Inputs for a run: tensors made from specs, and how an input is told."""

from __future__ import annotations

import inspect
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from shapeproof.capture.run import run
from shapeproof.capture.spec import InputSpec, first_guess, parse
from shapeproof.capture.trace import Manner
from shapeproof.dims import Shape
from shapeproof.errors import UsageError
from shapeproof.rules.registry import show

_PLACES = {1: "L", 2: "H,W", 3: "D,H,W"}
MOST_LAYERS = 4  # whose inputs are tried for a model with several
USUAL_SIZES = (28, 32, 64, 224)
LARGEST = 2**27  # elements; a larger input is made without values, and the model run on shapes alone


def told(value: Any, numbers: Mapping[str, int] | None = None) -> str:
    """An input as text: a spec as it is, or with numbers for its letters; a tensor by its shape."""
    if isinstance(value, str) and numbers:
        return parse(value).text(numbers)
    if isinstance(value, str):
        return value
    if isinstance(value, Tensor):
        return show(tuple(value.shape))
    shapes = tree_map(lambda leaf: show(tuple(leaf.shape)) if isinstance(leaf, Tensor) else leaf, value)
    return str(shapes)


def taken_as_text(model: Any, inputs: Sequence[Any], keywords: Mapping[str, Any]) -> frozenset[int | str]:
    """Places and names of the inputs that are texts to the model itself, as its signature says, and so no specs."""
    given: dict[int | str, Any] = dict([*enumerate(inputs), *keywords.items()])
    if not any(isinstance(value, str) for value in given.values()):
        return frozenset()
    try:
        parameters = inspect.signature(getattr(model, "forward", model)).parameters
    except (TypeError, ValueError):
        return frozenset()
    taken: dict[int | str, inspect.Parameter] = dict([*enumerate(parameters.values()), *parameters.items()])
    return frozenset(at for at, value in given.items() if isinstance(value, str) and at in taken and _text(taken[at]))


def _text(parameter: inspect.Parameter) -> bool:
    said = parameter.annotation
    words = re.findall(r"\w+", said if isinstance(said, str) else getattr(said, "__name__", "") + f" {said}")
    return isinstance(parameter.default, str) or not {"str", "Literal"}.isdisjoint(words)


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
    """The first of :func:`candidates`.

    Raises:
        UsageError: if there is none.
    """
    for spec in candidates(model):
        return spec
    raise UsageError("give the input's shape, such as --input N,1,28,28")


def candidates(model: Any) -> Iterator[str]:
    """Specs that layers of a model want, the first layer's first: its channels, its features, indices for a table."""
    found = (_wanted(module) for module in (model.modules() if isinstance(model, nn.Module) else ()))
    yield from dict.fromkeys(spec for spec in found if spec)


def candidates_of_several(model: Any, count: int) -> Iterator[tuple[str, ...]]:
    """Specs for several inputs, the likeliest first: all alike, as of twins, or one for each of some layers."""
    found = list(itertools.islice(candidates(model), MOST_LAYERS))
    yield from ((spec,) * count for spec in found)
    apart = [*found, *(["int64[N,S]"] if "int64[N,T]" in found else [])]
    yield from itertools.permutations(apart, count)


def runs_somewhere(model: Any, texts: tuple[str, ...]) -> bool:
    """Whether the model comes through on inputs of these specs, at one of a few usual sizes."""
    specs = [parse(text) for text in texts]
    return any(_runs_at(model, specs, first_guess(specs, size)) for size in USUAL_SIZES)


def _runs_at(model: Any, specs: list[InputSpec], sizes: dict[str, int]) -> bool:
    try:
        trace = run(model, [tensor_for(spec, sizes, frozenset(), model) for spec in specs], {}, Manner())
    except Exception:  # noqa: BLE001  # the model's own, raised for these inputs: they are not what it takes
        return False
    return trace.error is None


def _wanted(module: nn.Module) -> str:
    """What one layer takes; ``""`` for a layer that takes anything."""
    if isinstance(module, nn.modules.conv._ConvNd):
        return f"N,{module.in_channels},{_PLACES[len(module.kernel_size)]}"
    if isinstance(module, nn.Linear):
        return f"N,{module.in_features}"
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return "int64[N,T]"
    if isinstance(module, nn.RNNBase):
        return f"N,T,{module.input_size}" if module.batch_first else f"T,N,{module.input_size}"
    if isinstance(module, nn.MultiheadAttention):
        return f"N,T,{module.embed_dim}" if module.batch_first else f"T,N,{module.embed_dim}"
    if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
        places = {nn.BatchNorm1d: "", nn.BatchNorm2d: ",H,W", nn.BatchNorm3d: ",D,H,W"}
        return f"N,{module.num_features}{places.get(type(module), '')}"
    if isinstance(module, nn.LayerNorm):
        return ",".join(["N", *map(str, module.normalized_shape)])
    return ""
